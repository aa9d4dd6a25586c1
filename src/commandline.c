/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "commandline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static const char usage[] =
    "matinee serve [--config F] [--data DIR] [--library DIR]... [--listen ADDR:PORT]\n"
    "              [--auth accounts|none|key] [--set K=V]... [--log-level L]\n"
    "matinee inspect FILE\n"
    "              what is in it, and how each client would get it (JSON)\n"
    "matinee segment FILE --rendition R (--index N | --init) [-o OUT]\n"
    "              one segment, from styp to its last byte\n"
    "matinee user add NAME [--role admin|member|child] [--age N] [--admin-password-file F]\n"
    "              makes an account, an administrator's where nothing is said; its password is "
    "the\n"
    "              first line of F, or of the input\n"
    "matinee user list | passwd NAME [--admin-password-file F] | remove NAME\n"
    "              also while the server runs: what is ended is over at once\n"
    "matinee backup FILE\n"
    "              all that is known, as one file; also while the server runs\n"
    "matinee restore FILE\n"
    "              takes it in place of what is known, which is kept beside it; a server that "
    "runs\n"
    "              starts again with it\n"
    "\n"
    "Every flag is also a line of matinee.yaml and an environment variable MATINEE_...;\n"
    "conf/matinee.yaml names them all.\n";

const char *commandline_usage(void)
{
    return usage;
}

/* Where a flag's value goes: a setting, or a field of this command's own. */
struct flag {
    const char *name, *setting;
    bool is_list;
};
static const struct flag flags[] = {
    {"--data", "data", false},
    {"--library", "library.folders", true},
    {"--listen", "http.listen", false},
    {"--auth", "auth.mode", false},
    {"--log-level", "log_level", false},
    {"--admin-password-file", "auth.admin_password_file", false},
};

struct parse {
    int argc;
    char **argv;
    int at;
    struct commandline *options;
    struct why *why;
    bool has_library; /* the first --library replaces what file and environment say */
    bool has_index, has_age;
};

static enum err bad(struct parse *parse, const char *flag, const char *words)
{
    return why_set(parse->why, ERR_BAD_INPUT, flag, "%s %s", flag, words);
}

/* The value behind `--flag value` or `--flag=value`; NULL: there is none. */
static const char *value_of(struct parse *parse, const char *name)
{
    const char *word = parse->argv[parse->at];
    size_t length = strlen(name);
    if (word[length] == '=')
        return word + length + 1;
    return parse->at + 1 < parse->argc ? parse->argv[++parse->at] : NULL;
}

static bool is_flag(const char *word, const char *name)
{
    size_t length = strlen(name);
    return strncmp(word, name, length) == 0 && (word[length] == '\0' || word[length] == '=');
}

static enum err take_setting(struct parse *parse, const struct flag *flag)
{
    const char *value = value_of(parse, flag->name);
    struct config *config = parse->options->config;
    if (value == NULL)
        return bad(parse, flag->name, "needs a value");
    if (!flag->is_list)
        return config_set(config, flag->setting, value, flag->name, parse->why);
    enum err err = OK;
    if (!parse->has_library)
        err = config_set(config, flag->setting, "", flag->name, parse->why);
    parse->has_library = true;
    return err != OK ? err : config_add(config, flag->setting, value, flag->name, parse->why);
}

static enum err take_set(struct parse *parse)
{
    const char *value = value_of(parse, "--set");
    const char *equals = value != NULL ? strchr(value, '=') : NULL;
    if (equals == NULL)
        return bad(parse, "--set", "needs key.path=value");
    CLEANUP(mem_free_at) char *key = mem_strndup(value, (size_t) (equals - value));
    return config_set(parse->options->config, key, equals + 1, "--set", parse->why);
}

static enum err take_index(struct parse *parse)
{
    const char *value = value_of(parse, "--index");
    parse->has_index = true;
    if (value == NULL ||
        slice_number(slice_of(value), UINT32_MAX - 1, &parse->options->segment.index) != OK)
        return bad(parse, "--index", "needs a number from 0");
    return OK;
}

static enum err take_text(struct parse *parse, const char *name, const char **out)
{
    *out = value_of(parse, name);
    return *out != NULL ? OK : bad(parse, name, "needs a value");
}

static enum err take_segment_flag(struct parse *parse, const char *word, bool *taken)
{
    struct tool_segment *segment = &parse->options->segment;
    *taken = true;
    if (is_flag(word, "--rendition"))
        return take_text(parse, "--rendition", &segment->rendition);
    if (is_flag(word, "--index"))
        return take_index(parse);
    if (is_flag(word, "-o"))
        return take_text(parse, "-o", &segment->out);
    if (strcmp(word, "--init") == 0)
        segment->init = true;
    else
        *taken = false;
    return OK;
}

static enum err take_user_flag(struct parse *parse, const char *word, bool *taken)
{
    uint64_t age = 0;
    const char *value = NULL;
    *taken = true;
    if (is_flag(word, "--role")) {
        value = value_of(parse, "--role");
        return value != NULL && role_parse(slice_of(value), &parse->options->user_role) == OK
                   ? OK
                   : bad(parse, "--role", "is admin, member or child");
    }
    if (is_flag(word, "--age")) {
        value = value_of(parse, "--age");
        if (value == NULL || slice_number(slice_of(value), BOUNDS_AGE_MOST, &age) != OK)
            return bad(parse, "--age", "is a number of years");
        parse->options->user_age = (int) age;
        parse->has_age = true;
        return OK;
    }
    *taken = false;
    return OK;
}

static enum err take_word(struct parse *parse, const char *word)
{
    struct commandline *options = parse->options;
    bool has_backup = options->command == COMMAND_BACKUP || options->command == COMMAND_RESTORE;
    if (options->command == COMMAND_USER && options->user_word == NULL)
        options->user_word = word;
    else if (has_backup && options->backup == NULL)
        options->backup = word;
    else if (options->command == COMMAND_USER && options->user_name == NULL)
        options->user_name = word;
    else if ((options->command == COMMAND_INSPECT || options->command == COMMAND_SEGMENT) &&
             options->segment.path == NULL)
        options->segment.path = word;
    else
        return bad(parse, word, "is one word too many");
    return OK;
}

static enum err take_flag(struct parse *parse)
{
    const char *word = parse->argv[parse->at];
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (is_flag(word, flags[i].name))
            return take_setting(parse, &flags[i]);
    if (is_flag(word, "--set"))
        return take_set(parse);
    if (is_flag(word, "--config"))
        return value_of(parse, "--config") != NULL ? OK : bad(parse, "--config", "needs a file");
    if (parse->options->command == COMMAND_SEGMENT) {
        bool taken = false;
        enum err err = take_segment_flag(parse, word, &taken);
        if (taken)
            return err;
    }
    if (parse->options->command == COMMAND_USER) {
        bool taken = false;
        enum err err = take_user_flag(parse, word, &taken);
        if (taken)
            return err;
    }
    if (word[0] == '-' && word[1] != '\0')
        return bad(parse, word, "is not a flag of this command");
    return take_word(parse, word);
}

/* The file is read before the environment and the flags, wherever --config stands. */
static enum err read_file(struct parse *parse)
{
    const char *path = getenv("MATINEE_CONFIG");
    for (int i = 2; i < parse->argc; i++) {
        if (strcmp(parse->argv[i], "--config") == 0 && i + 1 < parse->argc)
            path = parse->argv[i + 1];
        else if (strncmp(parse->argv[i], "--config=", 9) == 0)
            path = parse->argv[i] + 9;
    }
    return path == NULL ? OK : config_read_file(parse->options->config, path, parse->why);
}

static enum err read_command(struct parse *parse)
{
    static const struct {
        const char *word;
        enum command command;
    } commands[] = {
        {"serve", COMMAND_SERVE},   {"inspect", COMMAND_INSPECT}, {"segment", COMMAND_SEGMENT},
        {"user", COMMAND_USER},     {"help", COMMAND_HELP},       {"--help", COMMAND_HELP},
        {"-h", COMMAND_HELP},       {"version", COMMAND_VERSION}, {"--version", COMMAND_VERSION},
        {"backup", COMMAND_BACKUP}, {"restore", COMMAND_RESTORE},
    };
    const char *word = parse->argc > 1 ? parse->argv[1] : "help";
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(word, commands[i].word) == 0) {
            parse->options->command = commands[i].command;
            return OK;
        }
    }
    return why_set(parse->why, ERR_BAD_INPUT, NULL,
                   "there is no command %s: serve, inspect, segment, user, backup, restore or help",
                   word);
}

static enum err check_user(struct parse *parse)
{
    struct commandline *options = parse->options;
    const char *word = options->user_word != NULL ? options->user_word : "";
    if (user_action_parse(word, &options->user_action) != OK)
        return bad(parse, "user", "needs: add NAME, list, passwd NAME or remove NAME");
    if ((options->user_action == USER_LIST) != (options->user_name == NULL))
        return bad(parse, word, options->user_name == NULL ? "needs a name" : "takes no name");
    if (options->user_role == ROLE_CHILD && !parse->has_age)
        return bad(parse, "--age", "is needed for a child: how old it is, in years");
    return OK;
}

static enum err check_words(struct parse *parse)
{
    const struct commandline *options = parse->options;
    switch (options->command) {
    case COMMAND_INSPECT:
        return options->segment.path != NULL ? OK : bad(parse, "inspect", "needs a file");
    case COMMAND_SEGMENT:
        if (options->segment.path == NULL || options->segment.rendition == NULL)
            return bad(parse, "segment", "needs a file and --rendition");
        return parse->has_index || options->segment.init
                   ? OK
                   : bad(parse, "segment", "needs --index or --init");
    case COMMAND_USER:
        return check_user(parse);
    case COMMAND_BACKUP:
    case COMMAND_RESTORE:
        return options->backup != NULL ? OK : bad(parse, parse->argv[1], "needs a file");
    case COMMAND_SERVE:
        return config_check(options->config, parse->why);
    case COMMAND_HELP:
    case COMMAND_VERSION:
        break;
    }
    return OK;
}

enum err commandline_read(int argc, char **argv, char **environment, struct commandline *out,
                          struct why *why)
{
    *out = (struct commandline){.config = config_new(), .user_role = ROLE_ADMIN};
    struct parse parse = {.argc = argc, .argv = argv, .at = 2, .options = out, .why = why};
    enum err err = read_command(&parse);
    if (err == OK)
        err = read_file(&parse);
    if (err == OK)
        err = config_read_environment(out->config, (const char *const *) environment, why);
    for (; err == OK && parse.at < argc; parse.at++)
        err = take_flag(&parse);
    return err != OK ? err : check_words(&parse);
}

void commandline_fini(struct commandline *options)
{
    config_free(&options->config);
}
