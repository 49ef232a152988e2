#include "t/unit/mse_client.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/rand.h>

#include "seeder/wire.h"

int mse_client_init(mse_client *client, const bt_infohash *key, const unsigned char private_key[SEED_DH_PRIVATE_SIZE])
{
    static const unsigned char two[SEED_DH_SIZE] = {[SEED_DH_SIZE - 1] = 2};

    memset(client, 0, sizeof *client);
    client->key = *key;
    memcpy(client->private_key, private_key, sizeof client->private_key);
    return seed_dh_agree(private_key, two, client->ours, client->secret) == APR_SUCCESS;
}

int mse_client_agree(mse_client *client, const unsigned char theirs[SEED_DH_SIZE])
{
    if (seed_dh_agree(client->private_key, theirs, client->ours, client->secret) != APR_SUCCESS)
        return 0;
    seed_mse_key(&client->out, "keyA", client->secret, &client->key);
    seed_mse_key(&client->in, "keyB", client->secret, &client->key);
    return 1;
}

void mse_client_offer(mse_client *client, bt_buf *to, unsigned provide, apr_size_t pad_c, const void *ia, apr_size_t ia_length)
{
    unsigned char hash[BT_HASH_SIZE], mask[BT_HASH_SIZE], *at;
    apr_size_t length = 8 + 4 + 2 + pad_c + 2 + ia_length;

    seed_mse_hash(hash, "req1", client->secret, SEED_DH_SIZE, NULL, 0);
    bt_buf_add(to, hash, sizeof hash);
    seed_mse_hash(hash, "req2", client->key.b, BT_HASH_SIZE, NULL, 0);
    seed_mse_hash(mask, "req3", client->secret, SEED_DH_SIZE, NULL, 0);
    for (unsigned i = 0; i < sizeof hash; i++)
        hash[i] ^= mask[i];
    bt_buf_add(to, hash, sizeof hash);
    at = bt_buf_extend(to, length);
    memset(at, 0, length);
    pw_put_u32(at + 8, provide);
    at[12] = (unsigned char)(pad_c >> 8);
    at[13] = (unsigned char)pad_c;
    at[14 + pad_c] = (unsigned char)(ia_length >> 8);
    at[15 + pad_c] = (unsigned char)ia_length;
    if (ia_length)
        memcpy(at + 16 + pad_c, ia, ia_length);
    seed_rc4_apply(&client->out, at, at, length);
}

void mse_client_marker(mse_client *client, unsigned char marker[8])
{
    memset(marker, 0, 8);
    seed_rc4_apply(&client->in, marker, marker, 8);
}

static int say(int socket, const unsigned char *bytes, apr_size_t length)
{
    for (apr_size_t done = 0; done < length;) {
        ssize_t n = send(socket, bytes + done, length - done, MSG_NOSIGNAL);

        if (n < 0 && errno != EINTR)
            return 0;
        done += n > 0 ? (apr_size_t)n : 0;
    }
    return 1;
}

static int hear(int socket, unsigned char *bytes, apr_size_t length)
{
    for (apr_size_t done = 0; done < length;) {
        ssize_t n = recv(socket, bytes + done, length - done, 0);

        if (n == 0 || (n < 0 && errno != EINTR))
            return 0;
        done += n > 0 ? (apr_size_t)n : 0;
    }
    return 1;
}

static unsigned hear_answer(mse_client *client, int socket)
{
    unsigned char marker[8], seen[8], head[6], pad[SEED_MSE_PAD_MAX];
    apr_size_t passed, length;

    mse_client_marker(client, marker);
    if (!hear(socket, seen, sizeof seen))
        return 0;
    for (passed = 0; memcmp(seen, marker, sizeof seen) != 0; passed++) {
        memmove(seen, seen + 1, sizeof seen - 1);
        if (passed == SEED_MSE_PAD_MAX || !hear(socket, seen + sizeof seen - 1, 1))
            return 0;
    }
    if (!hear(socket, head, sizeof head))
        return 0;
    seed_rc4_apply(&client->in, head, head, sizeof head);
    length = (apr_size_t)(head[4] << 8 | head[5]);
    if (length > sizeof pad || !hear(socket, pad, length))
        return 0;
    seed_rc4_apply(&client->in, pad, pad, length);
    return pw_get_u32(head);
}

unsigned mse_client_shake(mse_client *client, int socket, const bt_infohash *key, unsigned provide)
{
    unsigned char private_key[SEED_DH_PRIVATE_SIZE], theirs[SEED_DH_SIZE];
    unsigned selected = 0;
    bt_buf offer;

    if (RAND_bytes(private_key, sizeof private_key) != 1 || !mse_client_init(client, key, private_key) ||
        !say(socket, client->ours, sizeof client->ours) || !hear(socket, theirs, sizeof theirs) ||
        !mse_client_agree(client, theirs))
        return 0;
    bt_buf_init(&offer, 4096);
    mse_client_offer(client, &offer, provide, 0, NULL, 0);
    if (offer.status == APR_SUCCESS && say(socket, offer.data, offer.length))
        selected = hear_answer(client, socket);
    bt_buf_free(&offer);
    return selected;
}
