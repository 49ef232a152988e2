/* From where an address can be reached: whom one may tell of it. */
#ifndef BT_REACH_H
#define BT_REACH_H

typedef enum {
    BT_REACH_NOBODY,   /* no host's, or one link's alone: unspecified, multicast, reserved, link-local */
    BT_REACH_LOOPBACK, /* the host itself */
    BT_REACH_PRIVATE,  /* some network: RFC 1918, unique-local, carriers' NAT */
    BT_REACH_GLOBAL
} bt_reach;

/** @param ip  4 bytes, or 16 of IPv6; a v4-mapped one is what it maps */
bt_reach bt_reach_of(const unsigned char *ip, int is_v6);

/** The first 12 bytes of a v4-mapped IPv6 address. */
extern const unsigned char bt_v4_mapped[12];

#endif
