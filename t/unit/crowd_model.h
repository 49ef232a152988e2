/* A swarm in little, for tests of the spread: pieces move in steps of a tenth of a second, the dice are the test's. */
#ifndef CROWD_MODEL_H
#define CROWD_MODEL_H

#include "seeder/spread.h"

enum { MODEL_PEERS = 64, MODEL_PIECES = 1024 };

typedef struct {
    seed_share share;
    unsigned char has[MODEL_PIECES / 8], shown[MODEL_PIECES / 8];
    int has_count, whole;
    int queue[MODEL_PIECES], queued; /* pieces that it asks the seed for, in order */
    long asked[MODEL_PIECES];        /* by piece: the step in which its request comes */
    int there, silent;               /* silent: it never says what it has */
    double upload;                   /* pieces a step to others */
    double saved;                    /* fraction of a piece left over */
    double done;                     /* seconds; 0: not yet */
    double first;                    /* when it got its first piece */
} model_peer;

typedef struct {
    seed_spread *spread; /* NULL: everybody is shown everything */
    int pieces, count;
    double seed_rate, saved; /* pieces a step */
    long delay;              /* steps from what a peer is shown to its request */
    uint64_t dice;
    model_peer peers[MODEL_PEERS];
    int sent;                    /* pieces, by the seed */
    int times_sent[MODEL_PIECES];
    int early_twice;             /* pieces sent again while others were not out yet */
    int out;                     /* pieces that were sent once */
    long steps;
} model;

void model_start(model *m, int pieces, int count, double seed_rate, double upload, int spread, uint64_t dice);

/** Until everybody has everything. @return seconds, or -1 if that takes longer than `most` */
double model_run(model *m, double most);
void model_end(model *m);

/** The bound of a fluid, seconds. */
double model_bound(const model *m, double upload);

#endif
