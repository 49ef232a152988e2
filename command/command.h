/* The command bthttp-torrentgen: what its subcommands share. */
#ifndef CMD_COMMAND_H
#define CMD_COMMAND_H

#include <apr_pools.h>

#define CMD_NAME "bthttp-torrentgen"

/* Exit codes; bthttp-torrentgen(1) documents them. After a signal: 128 and its number. */
enum {
    CMD_OK = 0,
    CMD_BAD = 1,    /* the answer is no: data does not match, some files could not be done, the catalogue has faults */
    CMD_USAGE = 2,  /* the command line makes no sense */
    CMD_FAILED = 3, /* it could not be done: a file cannot be read or written, there is no catalogue */
    CMD_SIGNAL = 128
};

typedef struct {
    const char *name;
    const char *summary; /* one line */
    const char *usage;   /* what follows the name, then one line for each option */
    /* argv[0] is the name. @return an exit code */
    int (*run)(int argc, char **argv, apr_pool_t *pool);
} cmd_subcommand;

extern const cmd_subcommand cmd_create, cmd_show, cmd_verify, cmd_magnet, cmd_scan_command, cmd_list, cmd_forget, cmd_gc, cmd_check;

/** Prints the help of a subcommand. @return CMD_OK */
int cmd_help(const cmd_subcommand *subcommand);

/** Says on standard error what is wrong with the command line, and where help is. @return CMD_USAGE */
int cmd_misuse(const cmd_subcommand *subcommand, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** After an option that getopt_long() has complained of. @return CMD_USAGE */
int cmd_see_help(const cmd_subcommand *subcommand);

#endif
