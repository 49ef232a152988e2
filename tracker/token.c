#include "tracker/token.h"

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

enum {
    MAC_SIZE = 16, /* bytes of it that are told */
    MAC_TEXT = 22, /* the same in base64url */
    PART = 1 + MAC_TEXT,
    DIGITS_MAX = 11, /* seconds until the year 5138 */
    CONTEXT_SIZE = 16,
    MESSAGE_SIZE = CONTEXT_SIZE + 8 + BT_HASH_SIZE
};

_Static_assert(DIGITS_MAX + TRK_TOKEN_HASHES_MAX * PART < TRK_TOKEN_SIZE, "the longest token fits");

/* @return 0 if the library fails */
static int write_mac(char text[MAC_TEXT], const trk_secret *secret, apr_uint64_t expires, const bt_infohash *hash)
{
    /* With its NUL, so that nothing else that the secret may sign begins so. */
    static const char context[CONTEXT_SIZE] = "bthttp-announce";
    unsigned char message[MESSAGE_SIZE], mac[EVP_MAX_MD_SIZE], base64[4 * ((MAC_SIZE + 2) / 3) + 1];

    memcpy(message, context, CONTEXT_SIZE);
    for (int i = 0; i < 8; i++)
        message[CONTEXT_SIZE + i] = (unsigned char)(expires >> (8 * (7 - i)));
    memcpy(message + CONTEXT_SIZE + 8, hash->b, BT_HASH_SIZE);
    if (!HMAC(EVP_sha256(), secret->bytes, (int)secret->length, message, sizeof message, mac, NULL))
        return 0;
    EVP_EncodeBlock(base64, mac, MAC_SIZE);
    for (int i = 0; i < MAC_TEXT; i++)
        text[i] = base64[i] == '+' ? '-' : base64[i] == '/' ? '_' : (char)base64[i];
    return 1;
}

apr_status_t trk_token_write(char token[TRK_TOKEN_SIZE], const trk_secret *secret, apr_time_t expires,
                             const bt_infohash *hashes, int count)
{
    apr_int64_t seconds = apr_time_sec(expires);
    int length;

    if (count < 1 || count > TRK_TOKEN_HASHES_MAX || seconds < 0 || seconds > 99999999999)
        return APR_EINVAL;
    length = snprintf(token, TRK_TOKEN_SIZE, "%" APR_INT64_T_FMT, seconds);
    for (int i = 0; i < count; i++, length += PART) {
        token[length] = '.';
        if (!write_mac(token + length + 1, secret, (apr_uint64_t)seconds, &hashes[i]))
            return APR_EGENERAL;
    }
    token[length] = '\0';
    return APR_SUCCESS;
}

/* @return how many digits it begins with, 0 if they are no time */
static apr_size_t read_expiry(const char *token, apr_size_t length, apr_uint64_t *seconds)
{
    apr_size_t digits = 0;

    *seconds = 0;
    while (digits < length && token[digits] >= '0' && token[digits] <= '9' && digits <= DIGITS_MAX)
        *seconds = 10 * *seconds + (apr_uint64_t)(token[digits++] - '0');
    return digits > DIGITS_MAX || (digits > 1 && token[0] == '0') ? 0 : digits;
}

/* Every part is compared with what each secret makes of it, in whole, so that the time taken tells nothing of them. */
static int is_of(const trk_secret *secrets, int secret_count, const char *parts, apr_size_t count, apr_uint64_t expires,
                 const bt_infohash *hash)
{
    char text[MAC_TEXT];
    int good = 0;

    for (int i = 0; i < secret_count; i++) {
        if (!write_mac(text, &secrets[i], expires, hash))
            return 0;
        for (apr_size_t part = 0; part < count; part++)
            good |= CRYPTO_memcmp(text, parts + part * PART + 1, MAC_TEXT) == 0;
    }
    return good;
}

trk_token_verdict trk_token_check(const trk_secret *secrets, int secret_count, const char *token, apr_size_t length,
                                  const bt_infohash *hash, apr_time_t now)
{
    apr_uint64_t expires;
    apr_size_t digits = read_expiry(token, length, &expires), count = (length - digits) / PART;

    if (digits == 0 || count < 1 || count > TRK_TOKEN_HASHES_MAX || digits + count * PART != length)
        return TRK_TOKEN_MISSING;
    for (apr_size_t part = 0; part < count; part++)
        if (token[digits + part * PART] != '.')
            return TRK_TOKEN_MISSING;
    if (!is_of(secrets, secret_count, token + digits, count, expires, hash))
        return TRK_TOKEN_FOREIGN;
    return apr_time_sec(now) < (apr_int64_t)expires ? TRK_TOKEN_GOOD : TRK_TOKEN_EXPIRED;
}

const char *trk_token_find(const char *url, apr_size_t length, apr_size_t *token_length)
{
    const char *query = memchr(url, '?', length);
    apr_size_t end = query ? (apr_size_t)(query - url) : length, start = end;

    while (start > 0 && url[start - 1] != '/')
        start--;
    *token_length = end - start;
    return url + start;
}
