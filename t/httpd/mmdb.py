"""Writes MaxMind DB files (format 2.0), as far as tests need them: an IPv6 tree with IPv4 in ::/96, records of 24 bits."""
import ipaddress

UTF8, UINT16, UINT32, MAP, UINT64 = 2, 5, 6, 7, 9


def _control(kind, size):
    """What stands before a value of less than 285 bytes."""
    short = min(size, 29)
    return (bytes([kind << 5 | short]) if kind < 8 else bytes([short, kind - 7])) + (bytes([size - 29]) if short == 29 else b"")


def _encode(value, kind=UINT32):
    if isinstance(value, str):
        data = value.encode()
        return _control(UTF8, len(data)) + data
    if isinstance(value, dict):
        return _control(MAP, len(value)) + b"".join(_encode(k) + (v if isinstance(v, bytes) else _encode(v)) for k, v in value.items())
    data = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return _control(kind, len(data)) + data


def country(code):
    return {"country": {"iso_code": code}}


def network(number):
    return {"autonomous_system_number": number, "autonomous_system_organization": "Example"}


def database(networks):
    """networks: {"192.0.2.0/24": a dictionary, …}, none within another."""
    nodes, data, offsets = [[None, None]], b"", {}
    for name, value in networks.items():
        net = ipaddress.ip_network(name)
        bits, length = int(net.network_address), net.prefixlen + (96 if net.version == 4 else 0)
        encoded = _encode(value)
        if encoded not in offsets:
            offsets[encoded] = len(data)
            data += encoded
        node = 0
        for i in range(length):
            side = bits >> (127 - i) & 1
            if i == length - 1:
                nodes[node][side] = ("data", offsets[encoded])
            else:
                if nodes[node][side] is None:
                    nodes[node][side] = len(nodes)
                    nodes.append([None, None])
                node = nodes[node][side]
    count = len(nodes)

    def record(side):
        number = count if side is None else side if isinstance(side, int) else count + 16 + side[1]
        return number.to_bytes(3, "big")

    metadata = _encode({
        "node_count": count, "record_size": _encode(24, UINT16), "ip_version": _encode(6, UINT16), "database_type": "Test",
        "languages": bytes([0, 4]), "binary_format_major_version": _encode(2, UINT16),
        "binary_format_minor_version": _encode(0, UINT16), "build_epoch": _encode(1700000000, UINT64),
        "description": {"en": "Made by a test"}})
    tree = b"".join(record(left) + record(right) for left, right in nodes)
    return tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + metadata
