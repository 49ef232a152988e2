/* The ring of waiting requests, against a plain array that does the same. */
#include "t/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "seeder/requests.h"

enum { LIMIT = 100 };

static void first_in_first_out_up_to_the_limit(void **state)
{
    seed_requests queue = {0};
    seed_block block = {0, 0, 16384};

    for (apr_uint32_t i = 0; i < LIMIT; i++) {
        block.piece = i;
        assert_int_equal(seed_requests_push(&queue, &block, LIMIT), 1);
    }
    assert_int_equal(seed_requests_push(&queue, &block, LIMIT), 0);
    for (apr_uint32_t i = 0; i < LIMIT; i++) {
        assert_int_equal(seed_requests_pop(&queue, &block), 1);
        assert_int_equal(block.piece, i);
    }
    assert_int_equal(seed_requests_pop(&queue, &block), 0);
    assert_null(queue.ring); /* memory goes back */
    seed_requests_free(&queue);
}

/* Any sequence of steps does what it does to an array. */
static void the_same_as_an_array(void **state)
{
    seed_requests queue = {0};
    seed_block model[LIMIT], block;
    unsigned count = 0, seed = 12345;

    for (int step = 0; step < 200000; step++) {
        seed = seed * 1103515245 + 12345;
        unsigned dice = seed >> 16;
        block = (seed_block){dice / 16 % 50, 0, 1};
        if (dice % 16 < 7) {
            assert_int_equal(seed_requests_push(&queue, &block, LIMIT), count < LIMIT);
            if (count < LIMIT)
                model[count++] = block;
        } else if (dice % 16 < 12) {
            assert_int_equal(seed_requests_pop(&queue, &block), count > 0);
            if (count) {
                assert_memory_equal(&block, &model[0], sizeof block);
                memmove(model, model + 1, --count * sizeof *model);
            }
        } else {
            unsigned at = 0;
            while (at < count && model[at].piece != block.piece)
                at++;
            assert_int_equal(seed_requests_cancel(&queue, &block), at < count);
            if (at < count)
                memmove(model + at, model + at + 1, (--count - at) * sizeof *model);
        }
        assert_int_equal(queue.count, count);
        for (unsigned i = 0; i < count; i++)
            assert_int_equal(seed_requests_at(&queue, i)->piece, model[i].piece);
    }
    seed_requests_free(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_in_first_out_up_to_the_limit),
        cmocka_unit_test(the_same_as_an_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
