/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

enum kind { TEXT, LIST, BOOL, NUMBER };

struct setting {
    const char *key;
    enum kind kind;
    size_t offset;
    const char *standard;
    int64_t least, most; /* NUMBER only */
    const char *choices; /* TEXT only: "a|b|c", or NULL for any */
};

#define AT(member) offsetof(struct config, member)
#define PROVIDERS  "auth.providers"
#define GIB        (1024LL * 1024 * 1024)

static const struct setting settings[] = {
    {"data", TEXT, AT(data), "", 0, 0, NULL},
    {"log_level", TEXT, AT(log_level), "info", 0, 0, "debug|info|warning|error"},
    {"http.listen", TEXT, AT(http.listen), "0.0.0.0:8080", 0, 0, NULL},
    {"http.base_path", TEXT, AT(http.base_path), "", 0, 0, NULL},
    {"http.public_url", TEXT, AT(http.public_url), "", 0, 0, NULL},
    {"http.hosts", LIST, AT(http.hosts), "", 0, 0, NULL},
    {"http.trusted_proxies", LIST, AT(http.trusted_proxies), "", 0, 0, NULL},
    {"http.cors_origin", TEXT, AT(http.cors_origin), "", 0, 0, NULL},
    {"http.http2", BOOL, AT(http.http2), "false", 0, 0, NULL},
    {"http.loops", NUMBER, AT(http.loops), "0", 0, 64, NULL},
    {"http.connections_per_address", NUMBER, AT(http.connections_per_address), "64", 1, 100000,
     NULL},
    {"http.page", TEXT, AT(http.page), "", 0, 0, NULL},
    {"tls.certificate", TEXT, AT(tls.certificate), "", 0, 0, NULL},
    {"tls.key", TEXT, AT(tls.key), "", 0, 0, NULL},
    {"auth.mode", TEXT, AT(auth.mode), "accounts", 0, 0, "accounts|none|key"},
    {"auth.admin_name", TEXT, AT(auth.admin_name), "admin", 0, 0, NULL},
    {"auth.admin_password_file", TEXT, AT(auth.admin_password_file), "", 0, 0, NULL},
    {"auth.registration", TEXT, AT(auth.registration), "invite", 0, 0, "invite|open|closed"},
    {"auth.emails", LIST, AT(auth.emails), "", 0, 0, NULL},
    {"auth.link_by_email", BOOL, AT(auth.link_by_email), "false", 0, 0, NULL},
    {"mail.url", TEXT, AT(mail.url), "", 0, 0, NULL},
    {"mail.from", TEXT, AT(mail.from), "", 0, 0, NULL},
    {"mail.username", TEXT, AT(mail.username), "", 0, 0, NULL},
    {"mail.password_file", TEXT, AT(mail.password_file), "", 0, 0, NULL},
    {"mail.clear_text", BOOL, AT(mail.clear_text), "false", 0, 0, NULL},
    {"mail.retry_s", NUMBER, AT(mail.retry_s), "60", 1, 3600, NULL},
    {"backup.hour", NUMBER, AT(backup.hour), "3", 0, 24, NULL},
    {"library.folders", LIST, AT(library.folders), "", 0, 0, NULL},
    {"library.rescan_s", NUMBER, AT(library.rescan_s), "900", 1, 7 * 86400, NULL},
    {"library.settle_s", NUMBER, AT(library.settle_s), "30", 0, 3600, NULL},
    {"media.program", TEXT, AT(media.program), "", 0, 0, NULL},
    {"media.preset", TEXT, AT(media.preset), "veryfast", 0, 0,
     "ultrafast|superfast|veryfast|faster|fast|medium"},
    {"media.threads", NUMBER, AT(media.threads), "2", 1, 16, NULL},
    {"media.cores", NUMBER, AT(media.cores), "0", 0, 1024, NULL},
    {"media.runs", NUMBER, AT(media.runs), "0", 0, 64, NULL},
    {"media.processes", NUMBER, AT(media.processes), "24", 1, 256, NULL},
    {"media.memory_bytes", NUMBER, AT(media.memory_bytes), "1536MiB", 128LL << 20, 64 * GIB, NULL},
    {"media.hang_ms", NUMBER, AT(media.hang_ms), "30000", 100, 600000, NULL},
    {"media.hardware", TEXT, AT(media.hardware), "auto", 0, 0, NULL},
    {"hls.cache_bytes", NUMBER, AT(hls.cache_bytes), "4GiB", 0, 1LL << 44, NULL},
    {"hls.storyboard_bytes", NUMBER, AT(hls.storyboard_bytes), "1GiB", 0, 1LL << 44, NULL},
    {"hls.fingerprint_bytes", NUMBER, AT(hls.fingerprint_bytes), "256MiB", 0, 16 * GIB, NULL},
    {"hls.send_buffer_bytes", NUMBER, AT(hls.send_buffer_bytes), "64MiB", 1LL << 20, 16 * GIB,
     NULL},
    {"hls.ahead_s", NUMBER, AT(hls.ahead_s), "30", 0, 600, NULL},
    {"hls.idle_s", NUMBER, AT(hls.idle_s), "60", 1, 86400, NULL},
    {"hls.hold_ms", NUMBER, AT(hls.hold_ms), "20000", 50, 60000, NULL},
    {"hls.heartbeat_ms", NUMBER, AT(hls.heartbeat_ms), "2000", 50, 10000, NULL},
    {"fetch.proxy", TEXT, AT(fetch.proxy), "", 0, 0, NULL},
    {"fetch.allow", LIST, AT(fetch.allow), "", 0, 0, NULL},
    {"fetch.ca_file", TEXT, AT(fetch.ca_file), "", 0, 0, NULL},
    {"fetch.keep_bytes", NUMBER, AT(fetch.keep_bytes), "4GiB", 64LL << 20, 1LL << 44, NULL},
    {"torrent.enabled", BOOL, AT(torrent.enabled), "true", 0, 0, NULL},
    {"torrent.into_library", BOOL, AT(torrent.into_library), "true", 0, 0, NULL},
    {"torrent.listen", TEXT, AT(torrent.listen), "0.0.0.0:6881,[::]:6881", 0, 0, NULL},
    {"torrent.interface", TEXT, AT(torrent.interface), "", 0, 0, NULL},
    {"torrent.proxy", TEXT, AT(torrent.proxy), "", 0, 0, NULL},
    {"torrent.download_rate", NUMBER, AT(torrent.download_rate), "0", 0, 1LL << 31, NULL},
    {"torrent.upload_rate", NUMBER, AT(torrent.upload_rate), "0", 0, 1LL << 31, NULL},
    {"torrent.connections", NUMBER, AT(torrent.connections), "150", 2, 10000, NULL},
    {"torrent.encrypted_only", BOOL, AT(torrent.encrypted_only), "false", 0, 0, NULL},
    {"torrent.dht", BOOL, AT(torrent.dht), "true", 0, 0, NULL},
    {"torrent.lsd", BOOL, AT(torrent.lsd), "false", 0, 0, NULL},
    {"torrent.upnp", BOOL, AT(torrent.upnp), "false", 0, 0, NULL},
    {"torrent.allow_local", BOOL, AT(torrent.allow_local), "false", 0, 0, NULL},
    {"torrent.spare_bytes", NUMBER, AT(torrent.spare_bytes), "1GiB", 0, 1LL << 44, NULL},
    {"torrent.ratio_percent", NUMBER, AT(torrent.ratio_percent), "100", 0, 100000, NULL},
    {"torrent.seed_s", NUMBER, AT(torrent.seed_s), "86400", 0, 365 * 86400, NULL},
};
enum { SETTING_COUNT = sizeof settings / sizeof settings[0] };

static const struct setting *find(const char *key)
{
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (strcmp(settings[i].key, key) == 0)
            return &settings[i];
    return NULL;
}

static void *at(struct config *config, const struct setting *setting)
{
    return (char *) config + setting->offset;
}

static void list_clear(struct config_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        mem_free(list->items[i]);
    list->count = 0;
    list->items = mem_realloc_array(list->items, 1, sizeof *list->items);
    list->items[0] = NULL;
}

static void list_add(struct config_list *list, const char *text, size_t length)
{
    list->items = mem_realloc_array(list->items, list->count + 2, sizeof *list->items);
    list->items[list->count++] = mem_strndup(text, length);
    list->items[list->count] = NULL;
}

/* "a, b" as two; an empty text as none. */
static void list_split(struct config_list *list, const char *text)
{
    list_clear(list);
    while (*text != '\0') {
        text += strspn(text, ", ");
        size_t length = strcspn(text, ",");
        size_t end = length;
        while (end > 0 && text[end - 1] == ' ')
            end--;
        if (end > 0)
            list_add(list, text, end);
        text += length;
    }
}

static enum err parse_bool(const char *text, bool *out)
{
    if (strcmp(text, "true") == 0 || strcmp(text, "yes") == 0 || strcmp(text, "on") == 0)
        *out = true;
    else if (strcmp(text, "false") == 0 || strcmp(text, "no") == 0 || strcmp(text, "off") == 0)
        *out = false;
    else
        return ERR_BAD_INPUT;
    return OK;
}

/* A whole number, perhaps with KiB, MiB or GiB behind it. */
static enum err parse_number(const char *text, int64_t *out)
{
    static const struct {
        const char *unit;
        unsigned shift;
    } units[] = {{"", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}};
    size_t digits = strspn(text, "0123456789");
    uint64_t number = 0;
    if (slice_number((struct slice){text, digits}, 1ULL << 45, &number) != OK)
        return ERR_BAD_INPUT;
    const char *unit = text + digits + strspn(text + digits, " ");
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(unit, units[i].unit) == 0 && number <= (1ULL << 45) >> units[i].shift) {
            *out = (int64_t) (number << units[i].shift);
            return OK;
        }
    }
    return ERR_BAD_INPUT;
}

static enum err set_number(struct config *config, const struct setting *setting, const char *value,
                           const char *place, struct why *why)
{
    int64_t number = 0;
    if (parse_number(value, &number) != OK)
        return why_set(why, ERR_BAD_INPUT, setting->key,
                       "%s: %s is \"%s\", which is not a number (4096, 64MiB, 4GiB)", place,
                       setting->key, value);
    if (number < setting->least || number > setting->most)
        return why_set(why, ERR_BAD_INPUT, setting->key, "%s: %s is %lld, outside %lld to %lld",
                       place, setting->key, (long long) number, (long long) setting->least,
                       (long long) setting->most);
    memcpy(at(config, setting), &number, sizeof number);
    return OK;
}

static enum err set_text(struct config *config, const struct setting *setting, const char *value,
                         const char *place, struct why *why)
{
    if (setting->choices != NULL && !str_list_has(setting->choices, '|', value))
        return why_set(why, ERR_BAD_INPUT, setting->key, "%s: %s is \"%s\", not one of %s", place,
                       setting->key, value, setting->choices);
    char **text = at(config, setting);
    char *copy = mem_strdup(value);
    mem_free(*text);
    *text = copy;
    return OK;
}

static enum err unknown(const char *key, const char *place, struct why *why)
{
    return why_set(why, ERR_NOT_FOUND, key, "%s: there is no setting called \"%s\"", place, key);
}

enum err config_set(struct config *config, const char *key, const char *value, const char *place,
                    struct why *why)
{
    const struct setting *setting = find(key);
    if (setting == NULL)
        return unknown(key, place, why);
    switch (setting->kind) {
    case TEXT:
        return set_text(config, setting, value, place, why);
    case LIST:
        list_split(at(config, setting), value);
        return OK;
    case BOOL:
        if (parse_bool(value, at(config, setting)) != OK)
            return why_set(why, ERR_BAD_INPUT, key, "%s: %s is \"%s\", neither true nor false",
                           place, key, value);
        return OK;
    case NUMBER:
        return set_number(config, setting, value, place, why);
    }
    return ERR_BAD_INPUT;
}

enum err config_add(struct config *config, const char *key, const char *value, const char *place,
                    struct why *why)
{
    const struct setting *setting = find(key);
    if (setting == NULL)
        return unknown(key, place, why);
    if (setting->kind != LIST)
        return why_set(why, ERR_BAD_INPUT, key, "%s: %s takes one value, not a list", place, key);
    list_add(at(config, setting), value, strlen(value));
    return OK;
}

struct config *config_new(void)
{
    struct config *config = mem_new(struct config);
    for (size_t i = 0; i < SETTING_COUNT; i++)
        MUST(config_set(config, settings[i].key, settings[i].standard, "default", NULL) == OK);
    return config;
}

static void free_providers(struct config *config);

void config_free(struct config **config)
{
    if (*config == NULL)
        return;
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        void *value = at(*config, &settings[i]);
        if (settings[i].kind == TEXT) {
            mem_free_at(value);
        } else if (settings[i].kind == LIST) {
            struct config_list *list = value;
            list_clear(list);
            mem_free(list->items);
        }
    }
    free_providers(*config);
    mem_free(*config);
    *config = NULL;
}

const char *config_key(size_t index)
{
    return index < SETTING_COUNT ? settings[index].key : NULL;
}

static char *list_text(const struct config_list *list)
{
    struct str text = {0};
    for (size_t i = 0; i < list->count; i++)
        str_printf(&text, "%s%s", i > 0 ? ", " : "", list->items[i]);
    return str_take(&text);
}

char *config_text(const struct config *config, const char *key)
{
    const struct setting *setting = find(key);
    MUST(setting != NULL);
    const void *value = (const char *) config + setting->offset;
    struct str text = {0};
    switch (setting->kind) {
    case TEXT:
        return mem_strdup(*(char *const *) value);
    case LIST:
        return list_text(value);
    case BOOL:
        str_puts(&text, *(const bool *) value ? "true" : "false");
        break;
    case NUMBER:
        str_printf(&text, "%lld", (long long) *(const int64_t *) value);
        break;
    }
    return str_take(&text);
}

/* --- matinee.yaml --- */

struct walk {
    struct config *config;
    yaml_document_t document;
    const char *path;
    struct why *why;
};

static void say_place(const struct walk *walk, const yaml_node_t *node, char *out, size_t size)
{
    snprintf(out, size, "%s line %zu", walk->path, node->start_mark.line + 1);
}

static const char *scalar(const yaml_node_t *node)
{
    return (const char *) node->data.scalar.value;
}

/* --- providers: a list of mappings --- */

#define FIELD(name)                                                                                \
    {                                                                                              \
#name, offsetof(struct config_provider, name)                                              \
    }
static const struct {
    const char *name;
    size_t offset;
} PROVIDER_FIELDS[] = {
    FIELD(name),
    FIELD(title),
    FIELD(kind),
    FIELD(issuer),
    FIELD(client_id),
    FIELD(client_secret),
    FIELD(client_secret_file),
    FIELD(scopes),
    FIELD(authorize_url),
    FIELD(token_url),
    FIELD(userinfo_url),
    FIELD(emails_url),
    FIELD(subject_field),
    FIELD(name_field),
    FIELD(email_field),
    FIELD(audience),
    FIELD(header),
    FIELD(secret_header),
    FIELD(secret),
    FIELD(secret_file),
    FIELD(create),
};
enum { PROVIDER_FIELD_COUNT = sizeof PROVIDER_FIELDS / sizeof PROVIDER_FIELDS[0] };

static char **provider_field(struct config_provider *provider, size_t i)
{
    return (char **) (void *) ((char *) provider + PROVIDER_FIELDS[i].offset);
}

static struct config_provider *add_provider(struct config *config)
{
    config->auth.providers = mem_realloc_array(
        config->auth.providers, config->auth.provider_count + 1, sizeof *config->auth.providers);
    struct config_provider *provider = &config->auth.providers[config->auth.provider_count++];
    for (size_t i = 0; i < PROVIDER_FIELD_COUNT; i++)
        *provider_field(provider, i) = mem_strdup("");
    return provider;
}

static void free_providers(struct config *config)
{
    for (size_t p = 0; p < config->auth.provider_count; p++)
        for (size_t i = 0; i < PROVIDER_FIELD_COUNT; i++)
            mem_free(*provider_field(&config->auth.providers[p], i));
    mem_free(config->auth.providers);
}

static enum err set_provider(struct walk *walk, struct config_provider *provider,
                             const yaml_node_t *name, const yaml_node_t *value)
{
    char place[300];
    say_place(walk, name, place, sizeof place);
    if (name->type != YAML_SCALAR_NODE || value->type != YAML_SCALAR_NODE)
        return why_set(walk->why, ERR_BAD_INPUT, PROVIDERS, "%s: a provider takes plain values",
                       place);
    for (size_t i = 0; i < PROVIDER_FIELD_COUNT; i++) {
        if (strcmp(PROVIDER_FIELDS[i].name, scalar(name)) != 0)
            continue;
        char **field = provider_field(provider, i);
        mem_free(*field);
        *field = mem_strdup(scalar(value));
        return OK;
    }
    return why_set(walk->why, ERR_BAD_INPUT, PROVIDERS, "%s: a provider has no %s", place,
                   scalar(name));
}

static enum err read_provider(struct walk *walk, const yaml_node_t *node)
{
    char place[300];
    enum err err = OK;
    say_place(walk, node, place, sizeof place);
    if (node->type != YAML_MAPPING_NODE)
        return why_set(walk->why, ERR_BAD_INPUT, PROVIDERS,
                       "%s: a provider has a name, a kind and more", place);
    struct config_provider *provider = add_provider(walk->config);
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         err == OK && pair < node->data.mapping.pairs.top; pair++)
        err = set_provider(walk, provider, yaml_document_get_node(&walk->document, pair->key),
                           yaml_document_get_node(&walk->document, pair->value));
    return err;
}

static enum err read_providers(struct walk *walk, const yaml_node_t *node)
{
    enum err err = OK;
    for (const yaml_node_item_t *item = node->data.sequence.items.start;
         err == OK && item < node->data.sequence.items.top; item++)
        err = read_provider(walk, yaml_document_get_node(&walk->document, *item));
    return err;
}

static enum err read_list(struct walk *walk, const yaml_node_t *node, const char *key)
{
    if (strcmp(key, PROVIDERS) == 0)
        return read_providers(walk, node);
    char place[300];
    say_place(walk, node, place, sizeof place);
    enum err err = config_set(walk->config, key, "", place, walk->why);
    for (yaml_node_item_t *item = node->data.sequence.items.start;
         err == OK && item < node->data.sequence.items.top; item++) {
        const yaml_node_t *value = yaml_document_get_node(&walk->document, *item);
        say_place(walk, value, place, sizeof place);
        if (value->type != YAML_SCALAR_NODE)
            return why_set(walk->why, ERR_BAD_INPUT, key, "%s: %s takes plain values", place, key);
        err = config_add(walk->config, key, scalar(value), place, walk->why);
    }
    return err;
}

static enum err read_mapping(struct walk *walk, const yaml_node_t *node, const char *prefix);

static enum err read_value(struct walk *walk, const yaml_node_t *node, const char *key)
{
    char place[300];
    say_place(walk, node, place, sizeof place);
    switch (node->type) {
    case YAML_MAPPING_NODE:
        if (find(key) != NULL || strchr(key, '.') != NULL)
            return why_set(walk->why, ERR_BAD_INPUT, key, "%s: %s takes no settings below it",
                           place, key);
        return read_mapping(walk, node, key);
    case YAML_SEQUENCE_NODE:
        return read_list(walk, node, key);
    case YAML_SCALAR_NODE:
    case YAML_NO_NODE:
        break;
    }
    return config_set(walk->config, key, scalar(node), place, walk->why);
}

static enum err read_mapping(struct walk *walk, const yaml_node_t *node, const char *prefix)
{
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *name = yaml_document_get_node(&walk->document, pair->key);
        const yaml_node_t *value = yaml_document_get_node(&walk->document, pair->value);
        char key[128];
        char place[300];
        say_place(walk, name, place, sizeof place);
        if (name->type != YAML_SCALAR_NODE)
            return why_set(walk->why, ERR_BAD_INPUT, prefix, "%s: a setting's name must be text",
                           place);
        snprintf(key, sizeof key, "%s%s%s", prefix, prefix[0] != '\0' ? "." : "", scalar(name));
        bool is_empty = value->type == YAML_SCALAR_NODE && scalar(value)[0] == '\0';
        if (is_empty && find(key) == NULL)
            continue; /* a section whose lines are all comments */
        enum err err = read_value(walk, value, key);
        if (err == ERR_NOT_FOUND) { /* say the line of the name, not of the value */
            (void) unknown(key, place, walk->why);
            return ERR_BAD_INPUT;
        }
        if (err != OK)
            return err;
    }
    return OK;
}

static enum err read_document(struct walk *walk)
{
    const yaml_node_t *root = yaml_document_get_root_node(&walk->document);
    if (root == NULL)
        return OK;
    if (root->type != YAML_MAPPING_NODE)
        return why_set(walk->why, ERR_BAD_INPUT, NULL, "%s line %zu: expected settings", walk->path,
                       root->start_mark.line + 1);
    return read_mapping(walk, root, "");
}

static enum err load(struct walk *walk, FILE *file)
{
    yaml_parser_t parser;
    MUST(yaml_parser_initialize(&parser));
    yaml_parser_set_input_file(&parser, file);
    enum err err = OK;
    if (!yaml_parser_load(&parser, &walk->document)) {
        err = why_set(walk->why, ERR_BAD_INPUT, NULL, "%s line %zu: %s", walk->path,
                      parser.problem_mark.line + 1,
                      parser.problem != NULL ? parser.problem : "not YAML");
    } else {
        err = read_document(walk);
        yaml_document_delete(&walk->document);
    }
    yaml_parser_delete(&parser);
    return err;
}

enum err config_read_file(struct config *config, const char *path, struct why *why)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return why_set(why, err_from_errno(errno), "config", "%s: %s", path, strerror(errno));
    struct walk walk = {.config = config, .path = path, .why = why};
    enum err err = load(&walk, file);
    fclose(file);
    return err;
}

/* --- environment --- */

/* MATINEE_HTTP_LISTEN for http.listen. */
static void variable_of(const char *key, char *out, size_t size)
{
    snprintf(out, size, "MATINEE_%s", key);
    for (char *c = out; *c != '\0'; c++)
        *c = *c == '.' ? '_' : char_upper(*c);
}

static const char *key_of_variable(const char *name)
{
    /* Names that documents promise beside those made from keys. */
    if (strcmp(name, "MATINEE_ADMIN_PASSWORD_FILE") == 0)
        return "auth.admin_password_file";
    if (strcmp(name, "MATINEE_LISTEN") == 0)
        return "http.listen";
    if (strcmp(name, "MATINEE_LIBRARY") == 0)
        return "library.folders";
    if (strcmp(name, "MATINEE_AUTH") == 0)
        return "auth.mode";
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        char variable[160];
        variable_of(settings[i].key, variable, sizeof variable);
        if (strcmp(variable, name) == 0)
            return settings[i].key;
    }
    return NULL;
}

enum err config_read_environment(struct config *config, const char *const *environment,
                                 struct why *why)
{
    for (; *environment != NULL; environment++) {
        const char *equals = strchr(*environment, '=');
        if (strncmp(*environment, "MATINEE_", 8) != 0 || equals == NULL)
            continue;
        if (strncmp(*environment, "MATINEE_CONFIG=", 15) == 0)
            continue; /* names the file itself: main reads it */
        CLEANUP(mem_free_at)
        char *name = mem_strndup(*environment, (size_t) (equals - *environment));
        const char *key = key_of_variable(name);
        char place[200];
        snprintf(place, sizeof place, "environment variable %.150s", name);
        if (key == NULL) {
            log_warning("config.unknown_variable", log_str("name", name));
            continue;
        }
        enum err err = config_set(config, key, equals + 1, place, why);
        if (err != OK)
            return err;
    }
    return OK;
}

/* --- all together --- */

static bool is_loopback(const char *listen)
{
    return strncmp(listen, "127.", 4) == 0 || strncmp(listen, "[::1]:", 6) == 0 ||
           strncmp(listen, "localhost:", 10) == 0;
}

/* "vaapi:/dev/dri/renderD128,qsv:/dev/dri/renderD128": which kinds there are is known to who opens them. */
static bool is_hardware(const char *text)
{
    const char *hevc = "+hevc";
    if (strcmp(text, "auto") == 0 || strcmp(text, "auto+hevc") == 0 || strcmp(text, "off") == 0)
        return true;
    for (;;) {
        size_t kind = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789");
        if (kind > 0 && strncmp(text + kind, hevc, strlen(hevc)) == 0)
            kind += strlen(hevc);
        if (kind == 0 || text[kind] != ':' || text[kind + 1] != '/')
            return false;
        text += kind + strcspn(text + kind, ",");
        if (*text++ == '\0')
            return true;
    }
}

enum err config_check(const struct config *config, struct why *why)
{
    if ((config->tls.certificate[0] == '\0') != (config->tls.key[0] == '\0'))
        return why_set(why, ERR_BAD_INPUT, "tls",
                       "tls.certificate and tls.key go together: only one of them is set");
    if (strcmp(config->auth.mode, "none") == 0 && !is_loopback(config->http.listen))
        return why_set(why, ERR_REFUSED, "auth.mode",
                       "auth.mode none is for loopback only, and http.listen is %s: listen on "
                       "127.0.0.1, or use auth.mode key or accounts",
                       config->http.listen);
    if (config->http.base_path[0] != '\0' &&
        (config->http.base_path[0] != '/' ||
         config->http.base_path[strlen(config->http.base_path) - 1] == '/'))
        return why_set(why, ERR_BAD_INPUT, "http.base_path",
                       "http.base_path is \"%s\": it begins with / and does not end with it",
                       config->http.base_path);
    if (!is_hardware(config->media.hardware))
        return why_set(
            why, ERR_BAD_INPUT, "media.hardware",
            "media.hardware is \"%s\": it is auto, auto+hevc, off, or devices with commas between, "
            "as vaapi:/dev/dri/renderD128 or vaapi+hevc:/dev/dri/renderD128",
            config->media.hardware);
    return OK;
}
