/* Any bytes as saved swarms: refused, or loaded into a table that is sound afterwards. The time of saving and the checksum
 * are put right first, so that the fuzzer gets past them; what it makes up lies between. */
#include <openssl/evp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tracker/shard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADER = 16, DIGEST = 32 };

static const apr_time_t now = APR_TIME_C(1700000000) * APR_USEC_PER_SEC;
static const apr_time_t interval = APR_TIME_C(1800) * APR_USEC_PER_SEC;

static void must(int holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned char header[HEADER + 1] = "BTHROLL1\0\0\0\0\x65\x53\xf1\0", key[16] = {1};
    static unsigned char memory[TRK_MEMORY_MIN];
    unsigned char *bytes = malloc(HEADER + size + DIGEST);
    apr_status_t status;
    trk_swarms *swarms;

    must(bytes != NULL);
    memcpy(bytes, header, HEADER);
    if (size)
        memcpy(bytes + HEADER, data, size);
    must(EVP_Digest(bytes, HEADER + size, bytes + HEADER + size, NULL, EVP_sha256(), NULL));
    memset(memory, 0, sizeof memory);
    must(trk_swarms_format(memory, sizeof memory, key) == APR_SUCCESS);
    must(trk_swarms_attach(&swarms, memory, sizeof memory) == APR_SUCCESS);
    status = trk_swarms_load_bytes(swarms, bytes, HEADER + size + DIGEST, now, interval);
    must(status == APR_SUCCESS || status == APR_EINVAL);
    must(trk_check(swarms) == NULL);
    must((status == APR_SUCCESS) == trk_roll_check(data, size));
    if (size >= DIGEST) /* and as they are, which the checksum refuses */
        must(trk_swarms_load_bytes(swarms, data, size, now, interval) == APR_EINVAL);
    trk_swarms_detach(swarms);
    free(bytes);
    return 0;
}
