
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The journal of usage events, for operators: looks at it, checks it, and
 * sends records to Kafka again.  See docs/gw-journal.md; the commands are in
 * the folder "journal".
 *
 * links: src/gw_crc32c.c src/gw_inflight.c src/gw_journal.c */

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "journal/journal.h"


enum {
    MAIN_STAT = 1,
    MAIN_CAT = 2,
    MAIN_VERIFY = 4,
    MAIN_REPLAY = 8
};


typedef struct {
    const char  *name;
    unsigned     command;
    int        (*handler)(tool_journal_t *journal, const tool_options_t *opt);
} main_command_t;


static int main_options(tool_options_t *opt,
    const main_command_t *command, int argc, char **argv);
static int main_allowed(const main_command_t *command, int c);
static int main_option(tool_options_t *opt, int c);
static void main_flag(tool_options_t *opt, int c);
static int main_complete(tool_options_t *opt,
    const main_command_t *command);
static int main_usage(void);


static const main_command_t  main_commands[] = {
    { "stat", MAIN_STAT, tool_stat },
    { "cat", MAIN_CAT, tool_cat },
    { "verify", MAIN_VERIFY, tool_verify },
    { "replay", MAIN_REPLAY, tool_replay },
    { NULL, 0, NULL }
};


static const struct option  main_long[] = {
    { "help", no_argument, NULL, 'h' },
    { "tail", required_argument, NULL, 'T' },
    { "generation", required_argument, NULL, 'g' },
    { "json", no_argument, NULL, 'j' },
    { "segments", no_argument, NULL, 's' },
    { "orphans", no_argument, NULL, 'o' },
    { "kept", no_argument, NULL, 'k' },
    { "bad", no_argument, NULL, 'B' },
    { "dead", no_argument, NULL, 'd' },
    { "unacked", no_argument, NULL, 'u' },
    { "no-marks", no_argument, NULL, 'M' },
    { "since", required_argument, NULL, 'S' },
    { "until", required_argument, NULL, 'U' },
    { "brokers", required_argument, NULL, 'b' },
    { "topic", required_argument, NULL, 't' },
    { "property", required_argument, NULL, 'X' },
    { "properties", required_argument, NULL, 'F' },
    { "all", no_argument, NULL, 'a' },
    { "force-kept", no_argument, NULL, 'K' },
    { "force-dead", no_argument, NULL, 'D' },
    { "dry-run", no_argument, NULL, 'n' },
    { NULL, 0, NULL, 0 }
};


/* those that not every command has */

static const struct {
    int          c;
    unsigned     commands;
} main_few[] = {
    { 'j', MAIN_STAT },
    { 's', MAIN_CAT },
    { 'o', MAIN_REPLAY },
    { 'k', MAIN_CAT|MAIN_REPLAY },
    { 'B', MAIN_CAT|MAIN_REPLAY },
    { 'd', MAIN_CAT|MAIN_REPLAY },
    { 'u', MAIN_CAT },
    { 'M', MAIN_CAT },
    { 'S', MAIN_CAT|MAIN_REPLAY },
    { 'U', MAIN_CAT|MAIN_REPLAY },
    { 'b', MAIN_REPLAY },
    { 't', MAIN_REPLAY },
    { 'X', MAIN_REPLAY },
    { 'F', MAIN_REPLAY },
    { 'a', MAIN_REPLAY },
    { 'K', MAIN_REPLAY },
    { 'D', MAIN_REPLAY },
    { 'n', MAIN_REPLAY },
    { 0, 0 }
};


static const char  main_help[] =
"Usage: gw-journal stat DIR [--json]\n"
"       gw-journal cat DIR [--segments] [--kept] [--bad] [--dead] [--unacked]\n"
"                  [--no-marks] [--since TIME] [--until TIME]\n"
"       gw-journal verify DIR\n"
"       gw-journal replay DIR --orphans|--kept|--bad|--dead ... -b BROKERS\n"
"                  [-t TOPIC] [-X NAME=VALUE] [-F FILE] [--all]\n"
"                  [--force-kept] [--force-dead] [--dry-run]\n"
"                  [--since TIME] [--until TIME]\n"
"\n"
"Reads the journal of usage events in DIR, and changes nothing in it.\n"
"\n"
"  stat     what there is, by generation: one life of a worker\n"
"  cat      prints events, one a line\n"
"  verify   checks every record, and that no sequence is missing\n"
"  replay   sends records to Kafka again, under their old ids, and waits\n"
"           until all are acknowledged\n"
"\n"
"  -g, --generation HEX  only this one, by its first digits; again for more\n"
"  --tail DIR       where the newest bytes are: the gateway's tail=, by\n"
"                   default /dev/shm, or the folder with the tails itself\n"
"  --help           this text\n"
"\n"
"of stat:\n"
"  --json           one JSON object\n"
"\n"
"of cat and replay:\n"
"  --kept           segments kept after Kafka had acknowledged them\n"
"  --bad            segments put aside because they are damaged\n"
"  --dead           what Kafka has refused\n"
"  --since TIME     segments written to at this time or later\n"
"  --until TIME     segments made at this time or before; TIME is\n"
"                   2026-11-22T10:00:00Z, 2026-11-22, @SECONDS of the epoch,\n"
"                   or an age: 30s, 90m, 12h, 7d\n"
"\n"
"of cat:\n"
"  --segments       those not done yet; the default, if none of the above\n"
"  --unacked        of them what Kafka has not acknowledged\n"
"  --no-marks       only events of requests\n"
"\n"
"of replay:\n"
"  --orphans        segments that dead workers have left\n"
"  --all            of them also what Kafka has acknowledged\n"
"  --force-kept     kept and bad segments of living workers, too\n"
"  --force-dead     what Kafka has refused of living workers, too\n"
"  -b BROKERS       HOST:PORT,...\n"
"  -t TOPIC         by default the one that the segment was written for\n"
"  -X NAME=VALUE    a property of librdkafka\n"
"  -F FILE          properties, one a line: for passwords\n"
"  -n, --dry-run    only says what would be sent\n"
"\n"
"Exit status: 0 sound, done; 1 damage or gaps were found, not everything was\n"
"acknowledged; 2 anything else.\n";


int
main(int argc, char **argv)
{
    int                          rc;
    tool_options_t               opt;
    tool_journal_t               journal;
    const main_command_t  *command;

    if (argc > 1 && (strcmp(argv[1], "--help") == 0
                     || strcmp(argv[1], "-h") == 0))
    {
        fputs(main_help, stdout);
        return TOOL_OK;
    }

    for (command = main_commands; command->name; command++) {
        if (argc > 1 && strcmp(argv[1], command->name) == 0) {
            break;
        }
    }

    if (command->name == NULL) {
        return main_usage();
    }

    memset(&opt, 0, sizeof(tool_options_t));

    rc = main_options(&opt, command, argc - 1, argv + 1);

    if (rc != -1) {
        return rc;
    }

    rc = tool_journal_open(&journal, &opt);

    if (rc == TOOL_OK) {
        rc = command->handler(&journal, &opt);
    }

    tool_journal_close(&journal);

    if (fflush(stdout) != 0 || ferror(stdout)) {
        tool_fail("standard output: %s", strerror(errno));
        return TOOL_TROUBLE;
    }

    return rc;
}


/* -1: go on; else the exit status */

static int
main_options(tool_options_t *opt, const main_command_t *command,
    int argc, char **argv)
{
    int  c, rc;

    opt->marks = 1;
    opt->since = INT64_MIN;
    opt->until = INT64_MAX;

    while ((c = getopt_long(argc, argv, "hg:b:t:X:F:n", main_long, NULL))
           != -1)
    {
        if (c == 'h') {
            fputs(main_help, stdout);
            return TOOL_OK;
        }

        if (c == '?') {
            return main_usage();
        }

        if (!main_allowed(command, c)) {
            tool_fail("%s has no such option: %s", command->name,
                      argv[optind - 1]);
            return main_usage();
        }

        rc = main_option(opt, c);
        if (rc != TOOL_OK) {
            return rc;
        }
    }

    if (optind != argc - 1) {
        return main_usage();
    }

    opt->dir = argv[optind];

    return main_complete(opt, command);
}


static int
main_allowed(const main_command_t *command, int c)
{
    size_t  i;

    for (i = 0; main_few[i].c; i++) {
        if (main_few[i].c == c) {
            return (main_few[i].commands & command->command) != 0;
        }
    }

    return 1;
}


static int
main_option(tool_options_t *opt, int c)
{
    switch (c) {

    case 'T':
        opt->tail = optarg;
        break;

    case 'g':
        if (opt->ngenerations == TOOL_GENERATIONS
            || *optarg == '\0' || strlen(optarg) > 16
            || strspn(optarg, "0123456789abcdef") != strlen(optarg))
        {
            tool_fail("not a generation, or too many: \"%s\"", optarg);
            return TOOL_TROUBLE;
        }

        opt->generations[opt->ngenerations++] = optarg;
        break;

    case 'X':
        if (opt->nproperties == TOOL_PROPERTIES) {
            tool_fail("too many properties");
            return TOOL_TROUBLE;
        }

        opt->properties[opt->nproperties++] = optarg;
        break;

    case 'S':
    case 'U':
        if (tool_parse_time(optarg, c == 'S' ? &opt->since : &opt->until)
            != GW_OK)
        {
            tool_fail("not a time: \"%s\"", optarg);
            return TOOL_TROUBLE;
        }

        break;

    case 'b':
        opt->brokers = optarg;
        break;

    case 't':
        opt->topic = optarg;
        break;

    case 'F':
        opt->file = optarg;
        break;

    default:
        main_flag(opt, c);
        break;
    }

    return TOOL_OK;
}


static void
main_flag(tool_options_t *opt, int c)
{
    switch (c) {

    case 's':
    case 'o':
        opt->kinds |= 1 << GW_JOURNAL_SEGMENT;
        break;

    case 'k':
        opt->kinds |= 1 << GW_JOURNAL_KEPT;
        break;

    case 'B':
        opt->kinds |= 1 << GW_JOURNAL_BAD;
        break;

    case 'd':
        opt->kinds |= 1 << GW_JOURNAL_DEAD;
        break;

    case 'j':
        opt->json = 1;
        break;

    case 'u':
        opt->unacked = 1;
        break;

    case 'M':
        opt->marks = 0;
        break;

    case 'a':
        opt->all = 1;
        break;

    case 'K':
        opt->force_kept = 1;
        break;

    case 'D':
        opt->force_dead = 1;
        break;

    default: /* 'n' */
        opt->dry_run = 1;
        break;
    }
}


static int
main_complete(tool_options_t *opt, const main_command_t *command)
{
    if (command->command == MAIN_CAT && opt->kinds == 0) {
        opt->kinds = 1 << GW_JOURNAL_SEGMENT;
    }

    if (command->command != MAIN_REPLAY) {
        return -1;
    }

    if (opt->kinds == 0) {
        tool_fail("replay what? --orphans, --kept, --bad or --dead");
        return TOOL_TROUBLE;
    }

    if (opt->brokers == NULL && !opt->dry_run) {
        tool_fail("replay needs -b BROKERS, or --dry-run");
        return TOOL_TROUBLE;
    }

    return -1;
}


static int
main_usage(void)
{
    fputs("Usage: gw-journal stat|cat|verify|replay DIR [OPTION ...],"
          " see gw-journal --help\n", stderr);

    return TOOL_TROUBLE;
}
