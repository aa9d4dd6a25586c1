/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/letters.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { KEPT = 16 }; /* kinds times ages that somebody asks for */

struct kept {
    char kind[16];
    struct ages ages;
    struct letter_list list;
};

struct letters {
    pthread_mutex_t lock;
    /* under lock; kept[i] is of `state` */
    uint64_t state;
    struct kept kept[KEPT];
    size_t count, next;
};

void letter_list_add(struct letter_list *list, const char *letter, int64_t count)
{
    mem_grow(list->items, list->count, list->room);
    struct letter_count *item = &list->items[list->count++];
    item->count = count;
    snprintf(item->letter, sizeof item->letter, "%s", letter);
}

void letter_list_fini(struct letter_list *list)
{
    mem_free(list->items);
    *list = (struct letter_list){0};
}

static void copy_list(struct letter_list *to, const struct letter_list *from)
{
    for (size_t i = 0; i < from->count; i++)
        letter_list_add(to, from->items[i].letter, from->items[i].count);
}

struct letters *letters_new(void)
{
    struct letters *letters = mem_new(struct letters);
    pthread_mutex_init(&letters->lock, NULL);
    return letters;
}

/* Under lock. */
static void forget(struct letters *letters)
{
    for (size_t i = 0; i < letters->count; i++)
        letter_list_fini(&letters->kept[i].list);
    letters->count = letters->next = 0;
}

void letters_free(struct letters **letters)
{
    if (*letters == NULL)
        return;
    forget(*letters);
    pthread_mutex_destroy(&(*letters)->lock);
    mem_free(*letters);
    *letters = NULL;
}

void letters_are_old(struct letters *letters)
{
    pthread_mutex_lock(&letters->lock);
    letters->state++;
    forget(letters);
    pthread_mutex_unlock(&letters->lock);
}

uint64_t letters_state(struct letters *letters)
{
    pthread_mutex_lock(&letters->lock);
    uint64_t state = letters->state;
    pthread_mutex_unlock(&letters->lock);
    return state;
}

static bool ages_are_equal(const struct ages *a, const struct ages *b)
{
    return a->is_limited == b->is_limited &&
           (!a->is_limited || (a->most == b->most && a->unrated == b->unrated));
}

bool letters_find(struct letters *letters, const char *kind, const struct ages *ages,
                  struct letter_list *out)
{
    bool is_found = false;
    pthread_mutex_lock(&letters->lock);
    for (size_t i = 0; i < letters->count && !is_found; i++) {
        const struct kept *kept = &letters->kept[i];
        is_found =
            strcmp(kept->kind, kind != NULL ? kind : "") == 0 && ages_are_equal(&kept->ages, ages);
        if (is_found)
            copy_list(out, &kept->list);
    }
    pthread_mutex_unlock(&letters->lock);
    return is_found;
}

void letters_keep(struct letters *letters, const char *kind, const struct ages *ages,
                  uint64_t state, const struct letter_list *list)
{
    pthread_mutex_lock(&letters->lock);
    if (letters->state == state) {
        struct kept *kept = &letters->kept[letters->next];
        letters->next = (letters->next + 1) % KEPT;
        letters->count += letters->count < KEPT ? 1 : 0;
        letter_list_fini(&kept->list);
        snprintf(kept->kind, sizeof kept->kind, "%s", kind != NULL ? kind : "");
        kept->ages = *ages;
        copy_list(&kept->list, list);
    }
    pthread_mutex_unlock(&letters->lock);
}
