/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The judge of .torrent files and magnets (torrent-engine 6). */
#include "torrent/shim.hpp"

#include <algorithm>
#include <cstring>
#include <sstream>
#include <string>

#include <libtorrent/hex.hpp>
#include <libtorrent/load_torrent.hpp>
#include <libtorrent/magnet_uri.hpp>
#include <libtorrent/version.hpp>

extern "C" {
#include "base/mem.h"
#include "base/str.h"
}

namespace
{

constexpr int most_torrent_bytes = 10'000'000;
constexpr int most_pieces = 200'000;
constexpr int most_depth = 50;
constexpr int most_tokens = 1'000'000;
constexpr int most_files = 20'000;
constexpr int least_piece_bytes = 16 * 1024;
constexpr int most_piece_bytes = 64 * 1024 * 1024;
constexpr std::size_t most_path_bytes = 1024;
constexpr std::ptrdiff_t most_path_depth = 16;
constexpr std::size_t most_magnet_bytes = 8192;
constexpr std::size_t most_trackers = 32;

char *text_of(std::string const &text)
{
    struct str out = {nullptr, 0, 0};
    str_append_utf8(&out, text.data(), text.size());
    return str_take(&out);
}

template <typename Hash> void hash_text(Hash const &hash, char out[SHIM_HASH_TEXT])
{
    std::ostringstream text;
    text << hash;
    std::string const hex = text.str();
    std::memcpy(out, hex.data(), std::min<std::size_t>(hex.size(), SHIM_HASH_TEXT - 1));
}

struct shim_hashes hashes_of(lt::info_hash_t const &hashes)
{
    struct shim_hashes out = {};
    if (hashes.has_v1())
        hash_text(hashes.v1, out.v1);
    if (hashes.has_v2())
        hash_text(hashes.v2, out.v2);
    return out;
}

bool is_hidden(lt::file_storage const &files, lt::file_index_t file)
{
    lt::file_flags_t const flags = files.file_flags(file);
    return static_cast<bool>(flags &
                             (lt::file_storage::flag_pad_file | lt::file_storage::flag_symlink));
}

enum err judge_files(lt::file_storage const &files, struct why *why)
{
    if (files.num_files() > most_files)
        return why_set(why, ERR_LIMIT, nullptr, "it has %d files, more than %d", files.num_files(),
                       most_files);
    for (lt::file_index_t const file : files.file_range()) {
        std::string const path = files.file_path(file);
        if (path.size() > most_path_bytes ||
            std::count(path.begin(), path.end(), '/') >= most_path_depth)
            return why_set(why, ERR_LIMIT, nullptr, "the name of file %d is too long or too deep",
                           static_cast<int>(file));
    }
    return OK;
}

bool is_good_tracker(std::string const &url)
{
    return url.rfind("http://", 0) == 0 || url.rfind("https://", 0) == 0 ||
           url.rfind("udp://", 0) == 0;
}

/* What a torrent or a magnet may ask to be contacted. */
void limit_contacts(lt::add_torrent_params &params)
{
    auto &trackers = params.trackers;
    auto &tiers = params.tracker_tiers;
    std::size_t kept = 0;
    tiers.resize(trackers.size(), 0);
    for (std::size_t i = 0; i < trackers.size() && kept < most_trackers; i++) {
        if (!is_good_tracker(trackers[i]))
            continue;
        std::swap(trackers[kept], trackers[i]);
        std::swap(tiers[kept], tiers[i]);
        kept++;
    }
    trackers.resize(kept);
    tiers.resize(kept);
    params.dht_nodes.clear();
}

/* Before 2.0.14 (and in 2.1.0) a peer that answers a question for block hashes with a refusal makes
 * libtorrent write outside of its memory, when a piece failed 512 blocks or more into a file of a torrent
 * without version 1. */
bool is_unsafe(lt::torrent_info const &info)
{
    constexpr int fixed = 20014, broken_again = 20100;
    constexpr std::int64_t safe_bytes = 512 * 16 * 1024;
    if ((LIBTORRENT_VERSION_NUM >= fixed && LIBTORRENT_VERSION_NUM != broken_again) ||
        info.info_hashes().has_v1())
        return false;
    for (lt::file_index_t const file : info.files().file_range())
        if (info.files().file_size(file) > safe_bytes)
            return true;
    return false;
}

} // namespace

namespace matinee
{

enum err judge(lt::torrent_info const &info, struct why *why)
{
    if (is_unsafe(info))
        return why_set(why, ERR_BAD_INPUT, nullptr,
                       "it is of BitTorrent version 2 alone, which libtorrent " LIBTORRENT_VERSION
                       " does not handle safely");
    int const piece = info.piece_length();
    if (piece < least_piece_bytes || piece > most_piece_bytes || (piece & (piece - 1)) != 0)
        return why_set(
            why, ERR_BAD_INPUT, nullptr,
            "its pieces are of %d bytes; they should be a power of two, 16 KiB to 64 MiB", piece);
    if (info.num_pieces() > most_pieces)
        return why_set(why, ERR_LIMIT, nullptr, "it has %d pieces, more than %d", info.num_pieces(),
                       most_pieces);
    if (info.total_size() <= 0)
        return why_set(why, ERR_BAD_INPUT, nullptr, "it is empty");
    return judge_files(info.files(), why);
}

struct shim_meta *describe(lt::torrent_info const &info)
{
    auto *meta = mem_new(struct shim_meta);
    lt::file_storage const &files = info.files();
    meta->hashes = hashes_of(info.info_hashes());
    meta->name = text_of(info.name());
    meta->size = static_cast<std::uint64_t>(info.total_size());
    meta->piece_bytes = static_cast<std::uint32_t>(info.piece_length());
    meta->pieces = static_cast<std::uint32_t>(info.num_pieces());
    meta->is_private = info.priv();
    meta->file_count = static_cast<std::size_t>(files.num_files());
    meta->files = mem_new_array(struct shim_file, meta->file_count);
    for (lt::file_index_t const file : files.file_range()) {
        struct shim_file &out = meta->files[static_cast<int>(file)];
        out.path = text_of(files.file_path(file));
        out.offset = static_cast<std::uint64_t>(files.file_offset(file));
        out.size = static_cast<std::uint64_t>(files.file_size(file));
        out.is_hidden = is_hidden(files, file);
    }
    return meta;
}

enum err read_torrent(void const *bytes, std::size_t size, lt::add_torrent_params &out,
                      struct why *why)
{
    if (size > static_cast<std::size_t>(most_torrent_bytes))
        return why_set(why, ERR_LIMIT, nullptr, "the .torrent is larger than 10 MB");
    lt::load_torrent_limits limits;
    limits.max_buffer_size = most_torrent_bytes;
    limits.max_pieces = most_pieces;
    limits.max_decode_depth = most_depth;
    limits.max_decode_tokens = most_tokens;
    try {
        out = lt::load_torrent_buffer(
            {static_cast<char const *>(bytes), static_cast<std::ptrdiff_t>(size)}, limits);
    } catch (lt::system_error const &error) {
        return why_set(why, ERR_BAD_INPUT, nullptr, "it is no torrent that can be read: %s",
                       error.code().message().c_str());
    }
    if (!out.ti)
        return why_set(why, ERR_BAD_INPUT, nullptr, "it is no torrent that can be read");
    enum err const kind = judge(*out.ti, why);
    if (kind != OK)
        return kind;
    limit_contacts(out);
    return OK;
}

enum err read_magnet(char const *uri, bool allow_local, lt::add_torrent_params &out,
                     struct why *why)
{
    std::size_t const length = std::strlen(uri);
    if (length > most_magnet_bytes)
        return why_set(why, ERR_LIMIT, nullptr, "the magnet is longer than 8 KiB");
    lt::error_code error;
    out = lt::parse_magnet_uri({uri, length}, error);
    if (error)
        return why_set(why, ERR_BAD_INPUT, nullptr, "it is no magnet that can be read: %s",
                       error.message().c_str());
    if (!out.info_hashes.has_v1() && !out.info_hashes.has_v2())
        return why_set(why, ERR_BAD_INPUT, nullptr,
                       "the magnet names no torrent (no xt=urn:btih:)");
    limit_contacts(out);
    out.url_seeds.clear();
    if (!allow_local)
        out.peers.erase(
            std::remove_if(out.peers.begin(), out.peers.end(),
                           [](lt::tcp::endpoint const &peer) { return is_local(peer.address()); }),
            out.peers.end());
    return OK;
}

} // namespace matinee

const char *shim_hash(const struct shim_hashes *hashes)
{
    return hashes->v1[0] != '\0' ? hashes->v1 : hashes->v2;
}

bool shim_hashes_meet(const struct shim_hashes *a, const struct shim_hashes *b)
{
    return (a->v1[0] != '\0' && std::strcmp(a->v1, b->v1) == 0) ||
           (a->v2[0] != '\0' && std::strcmp(a->v2, b->v2) == 0);
}

void shim_meta_free(struct shim_meta **meta)
{
    struct shim_meta *gone = *meta;
    *meta = nullptr;
    if (gone == nullptr)
        return;
    for (std::size_t i = 0; i < gone->file_count; i++)
        mem_free(gone->files[i].path);
    mem_free(gone->files);
    mem_free(gone->name);
    mem_free(gone);
}

enum err shim_meta_read(const void *bytes, size_t size, struct shim_meta **out, struct why *why)
{
    return matinee::guarded(
        why, [&]() -> enum err {
            lt::add_torrent_params params;
            enum err const kind = matinee::read_torrent(bytes, size, params, why);
            if (kind == OK)
                *out = matinee::describe(*params.ti);
            return kind;
        });
}

enum err shim_magnet_read(const char *uri, struct shim_hashes *hashes, char **name, struct why *why)
{
    return matinee::guarded(
        why, [&]() -> enum err {
            lt::add_torrent_params params;
            enum err const kind = matinee::read_magnet(uri, false, params, why);
            if (kind != OK)
                return kind;
            *hashes = hashes_of(params.info_hashes);
            *name = params.name.empty() ? nullptr : text_of(params.name);
            return OK;
        });
}
