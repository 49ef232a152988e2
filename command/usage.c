/* What is said of a command line that makes no sense, and to whoever asks for help. */
#include <stdarg.h>
#include <stdio.h>

#include "command/command.h"
#include "command/text.h"

int cmd_help(const cmd_subcommand *subcommand)
{
    printf("usage: " CMD_NAME " %s %s", subcommand->name, subcommand->usage);
    return CMD_OK;
}

int cmd_see_help(const cmd_subcommand *subcommand)
{
    cmd_line(stderr, "See \"" CMD_NAME " %s --help\".", subcommand->name);
    return CMD_USAGE;
}

int cmd_misuse(const cmd_subcommand *subcommand, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    cmd_complain("%s: %s", subcommand->name, text);
    return cmd_see_help(subcommand);
}
