/* bthttp-torrentgen verify: is this the data of that torrent? */
#include "command/verify.h"

#include <getopt.h>

#include "command/command.h"
#include "command/making.h"
#include "command/values.h"

enum { OPT_JSON = CMD_OPT_OWN };

static const struct option options[] = {{"threads", required_argument, NULL, CMD_OPT_THREADS},
                                        {"json", no_argument, NULL, OPT_JSON},
                                        {"quiet", no_argument, NULL, 'q'},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

typedef struct {
    int threads, json, quiet;
} wishes;

static const char *const states[] = {"ok", "missing", "size", "unreadable", "bad"};

/* --- ranges of bad pieces ------------------------------------------------------------------------------------------- */

/* Finds the next run of bad pieces from `at` on, before `end`. @return 0 if there is none */
static int next_range(const cmd_verification *v, apr_int64_t *at, apr_int64_t end, apr_int64_t *last)
{
    while (*at < end && !v->bad[*at])
        ++*at;
    if (*at >= end)
        return 0;
    for (*last = *at; *last + 1 < end && v->bad[*last + 1];)
        ++*last;
    return 1;
}

static apr_int64_t count_bad(const cmd_verification *v, const cmd_checked_file *file)
{
    apr_int64_t count = 0;

    for (apr_int64_t i = file->first; i < file->first + file->pieces; i++)
        count += v->bad[i];
    return count;
}

/* "3, 7-9" */
static void add_ranges(bt_buf *text, const cmd_verification *v, const cmd_checked_file *file)
{
    apr_int64_t end = file->first + file->pieces, last;
    const char *comma = "";

    for (apr_int64_t at = file->first; next_range(v, &at, end, &last); at = last + 1, comma = ", ") {
        bt_buf_printf(text, "%s%" APR_INT64_T_FMT, comma, at);
        if (last > at)
            bt_buf_printf(text, "-%" APR_INT64_T_FMT, last);
    }
}

/* --- words ---------------------------------------------------------------------------------------------------------- */

static void print_file(const cmd_verification *v, const cmd_checked_file *file)
{
    char reason[160];
    bt_buf ranges;

    bt_buf_init(&ranges, 1 << 26);
    add_ranges(&ranges, v, file);
    switch (file->state) {
    case CMD_FILE_MISSING:
        cmd_line(stdout, "missing     %s", file->path);
        break;
    case CMD_FILE_SIZE:
        cmd_line(stdout, "size        %s: %" APR_INT64_T_FMT " bytes, %" APR_INT64_T_FMT " expected", file->path,
                 file->stamp.size, file->file->length);
        break;
    case CMD_FILE_UNREADABLE:
        cmd_line(stdout, "unreadable  %s: %s", file->path, cmd_reason(file->status, reason));
        break;
    case CMD_FILE_BAD:
        cmd_line(stdout, "bad         %s: %" APR_INT64_T_FMT " of %" APR_INT64_T_FMT " pieces: %.*s", file->path,
                 count_bad(v, file), file->pieces, (int)ranges.length, (const char *)ranges.data);
        break;
    case CMD_FILE_FINE:
        break;
    }
    bt_buf_free(&ranges);
}

static int report_words(const cmd_verification *v, int files_wrong)
{
    int count = v->torrent->meta.file_count;

    for (int i = 0; i < count; i++)
        print_file(v, &v->files[i]);
    if (files_wrong)
        cmd_line(stdout, "%s: %d of %d files and %" APR_INT64_T_FMT " of %" APR_INT64_T_FMT " pieces do not match",
                 v->torrent->meta.name, files_wrong, count, v->bad_count, v->pieces);
    else
        cmd_line(stdout, "%s: all %" APR_INT64_T_FMT " pieces of %d file%s match", v->torrent->meta.name, v->pieces, count,
                 count == 1 ? "" : "s");
    return files_wrong ? CMD_BAD : CMD_OK;
}

/* --- JSON ----------------------------------------------------------------------------------------------------------- */

static void add_range_list(cmd_json *json, const cmd_verification *v, const cmd_checked_file *file)
{
    apr_int64_t end = file->first + file->pieces, last;

    cmd_json_open(json, "bad_pieces", '[');
    for (apr_int64_t at = file->first; next_range(v, &at, end, &last); at = last + 1) {
        cmd_json_open(json, NULL, '[');
        cmd_json_number(json, NULL, at);
        cmd_json_number(json, NULL, last);
        cmd_json_close(json, ']');
    }
    cmd_json_close(json, ']');
}

static int report_json(const cmd_verification *v, int files_wrong)
{
    char reason[160];
    cmd_json json;

    cmd_json_begin(&json);
    cmd_json_path(&json, "name", v->torrent->meta.name);
    cmd_json_bool(&json, "ok", !files_wrong);
    cmd_json_number(&json, "pieces", v->pieces);
    cmd_json_number(&json, "pieces_bad", v->bad_count);
    cmd_json_open(&json, "files", '[');
    for (int i = 0; i < v->torrent->meta.file_count; i++) {
        const cmd_checked_file *file = &v->files[i];

        cmd_json_open(&json, NULL, '{');
        cmd_json_path(&json, "path", file->path);
        cmd_json_text(&json, "state", states[file->state]);
        if (file->state == CMD_FILE_UNREADABLE)
            cmd_json_text(&json, "reason", cmd_reason(file->status, reason));
        add_range_list(&json, v, file);
        cmd_json_close(&json, '}');
    }
    cmd_json_close(&json, ']');
    cmd_json_print(&json, stdout);
    return files_wrong ? CMD_BAD : CMD_OK;
}

/* --- the subcommand ------------------------------------------------------------------------------------------------- */

static int verify(const wishes *w, const cmd_torrent *torrent, const bt_buf *bytes, const char *data, apr_pool_t *pool)
{
    int wrong = 0;
    cmd_verification v;
    char reason[160];
    apr_status_t status;

    cmd_verify_prepare(&v, torrent, bytes, data, pool);
    status = cmd_verify_run(&v, w->threads ? w->threads : cmd_cores(), w->quiet, pool);
    if (status != APR_SUCCESS) {
        cmd_complain("%s: %s", data, cmd_reason(status, reason));
        return CMD_FAILED;
    }
    for (int i = 0; i < torrent->meta.file_count; i++)
        wrong += v.files[i].state != CMD_FILE_FINE;
    if (v.bad_count && !wrong)
        wrong = torrent->meta.file_count; /* a piece of padding alone: whoever made this did not know how */
    if (w->json)
        return report_json(&v, wrong);
    return w->quiet ? (wrong ? CMD_BAD : CMD_OK) : report_words(&v, wrong);
}

static int run(int argc, char **argv, apr_pool_t *pool)
{
    wishes w = {0};
    cmd_torrent torrent;
    const char *wrong;
    bt_buf bytes;
    int option, code;

    while ((option = getopt_long(argc, argv, "qh", options, NULL)) != -1) {
        if (option == CMD_OPT_THREADS && (wrong = cmd_read_threads(optarg, &w.threads)) != NULL)
            return cmd_misuse(&cmd_verify, "\"%s\" %s", optarg, wrong);
        if (option == OPT_JSON)
            w.json = 1;
        else if (option == 'q')
            w.quiet = 1;
        else if (option != CMD_OPT_THREADS)
            return option == 'h' ? cmd_help(&cmd_verify) : cmd_see_help(&cmd_verify);
    }
    if (argc - optind != 2)
        return cmd_misuse(&cmd_verify, "a torrent and its data are wanted");
    code = cmd_torrent_load(argv[optind], pool, &torrent, &bytes);
    if (code == CMD_OK)
        code = verify(&w, &torrent, &bytes, argv[optind + 1], pool);
    else if (code == CMD_BAD)
        code = CMD_FAILED; /* nothing was learned of the data */
    bt_buf_free(&bytes);
    return code;
}

const cmd_subcommand cmd_verify = {
    "verify", "hold data against a torrent",
    "[OPTION]... TORRENT DATA\n\n"
    "      --threads N           auto (default: all cores), or 1 to 256\n"
    "      --json                as JSON; bad_pieces has the first and last piece of each run\n"
    "  -q, --quiet               say nothing: the exit code is 0 if all matches, 1 if not\n"
    "  -h, --help                this text\n"
    "\nDATA is the file, or the directory of the files; or the directory that these are in.\n",
    run};
