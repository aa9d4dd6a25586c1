/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "torrent/shim.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <string>
#include <sys/stat.h>
#include <unordered_set>
#include <vector>

#include <libtorrent/alert_types.hpp>
#include <libtorrent/bencode.hpp>
#include <libtorrent/ip_filter.hpp>
#include <libtorrent/mmap_disk_io.hpp>
#include <libtorrent/peer_info.hpp>
#include <libtorrent/read_resume_data.hpp>
#include <libtorrent/session.hpp>
#include <libtorrent/session_params.hpp>
#include <libtorrent/torrent_handle.hpp>
#include <libtorrent/torrent_status.hpp>
#include <libtorrent/write_resume_data.hpp>

extern "C" {
#include "base/mem.h"
}

struct shim {
    std::unordered_set<struct shim_torrent *> torrents; /* all there are */
    std::unique_ptr<lt::session> session;
    bool allow_local = false;
};

/* Lives until its SHIM_REMOVED was taken. Alerts may come even after that, and point to it: who is not in
 * shim.torrents is no more. */
struct shim_torrent {
    struct shim *shim = nullptr;
    void *ctx = nullptr;
    lt::torrent_handle handle;
    std::vector<lt::tcp::endpoint> peers; /* that we reached, the last ones */
    bool is_held = false;   /* waits for its check, to be started then: that calls its peers */
    bool is_faulty = false; /* its failure was told */
    std::shared_ptr<matinee::waiting> waiting = std::make_shared<matinee::waiting>();
};

namespace
{

constexpr std::size_t most_peers = 100;

/* --- adding --- */

/* What was saved of it, as far as it is to be believed: no places, no names of files. */
enum err read_resume(struct shim_order const &order, lt::add_torrent_params &params)
{
    lt::error_code error;
    lt::load_torrent_limits limits;
    lt::add_torrent_params saved = lt::read_resume_data(
        {static_cast<char const *>(order.resume), static_cast<std::ptrdiff_t>(order.resume_size)},
        error, limits);
    if (!params.ti || error || saved.info_hashes != params.info_hashes)
        return ERR_BAD_INPUT;
    saved.ti = params.ti;
    saved.name = params.name;
    saved.trackers = params.trackers;
    saved.tracker_tiers = params.tracker_tiers;
    saved.peers.insert(saved.peers.end(), params.peers.begin(), params.peers.end());
    params = std::move(saved);
    params.renamed_files.clear();
    params.file_priorities.clear();
    params.piece_priorities.clear();
    return OK;
}

void set_have(struct shim_order const &order, lt::add_torrent_params &params)
{
    int const pieces = params.ti->num_pieces();
    params.have_pieces.resize(pieces, false);
    for (int i = 0; i < pieces; i++)
        if (order.have[i] != 0)
            params.have_pieces.set_bit(lt::piece_index_t(i));
}

void set_names(struct shim_order const &order, lt::add_torrent_params &params)
{
    for (lt::file_index_t const file : params.ti->files().file_range())
        params.renamed_files[file] = order.names[static_cast<int>(file)];
}

/* What is said to be here lies within the files as they are, or is not here. */
bool may_be_here(struct shim_order const &order, lt::add_torrent_params const &params)
{
    lt::file_storage const &files = params.ti->files();
    for (lt::file_index_t const file : files.file_range()) {
        std::int64_t const begin = files.file_offset(file), size = files.file_size(file);
        std::int64_t end = 0; /* of the last piece that is here, in the file */
        for (std::int64_t at = begin; at < begin + size;) {
            lt::piece_index_t const piece(static_cast<int>(at / files.piece_length()));
            at = (static_cast<int>(piece) + 1LL) * files.piece_length();
            if (piece < params.have_pieces.end_index() && params.have_pieces.get_bit(piece))
                end = std::min(at - begin, size);
        }
        struct stat status = {};
        std::string const path =
            std::string(order.folder) + "/" + order.names[static_cast<int>(file)];
        bool const is_there = lstat(path.c_str(), &status) == 0;
        if (order.wanted[static_cast<int>(file)] && is_there && status.st_size < end)
            return false;
    }
    return true;
}

enum err params_of(struct shim const &shim, struct shim_order const &order,
                   lt::add_torrent_params &params, struct why *why)
{
    enum err const kind =
        order.torrent != nullptr
            ? matinee::read_torrent(order.torrent, order.torrent_size, params, why)
            : matinee::read_magnet(order.magnet, shim.allow_local, params, why);
    if (kind != OK)
        return kind;
    if (order.torrent != nullptr && order.magnet != nullptr) {
        lt::add_torrent_params magnet; /* what it knew of trackers and peers */
        if (matinee::read_magnet(order.magnet, shim.allow_local, magnet, nullptr) == OK) {
            params.trackers.insert(params.trackers.end(), magnet.trackers.begin(),
                                   magnet.trackers.end());
            params.tracker_tiers.resize(params.trackers.size(), 0);
            params.peers.insert(params.peers.end(), magnet.peers.begin(), magnet.peers.end());
        }
    }
    /* The journal tells what came after it was saved; without it all is looked at. */
    bool const is_known = order.resume == nullptr || read_resume(order, params) == OK;
    if (order.have != nullptr && params.ti && is_known)
        set_have(order, params);
    if (order.names != nullptr && params.ti)
        set_names(order, params);
    if (order.have != nullptr && params.ti && !may_be_here(order, params)) {
        params.have_pieces.clear();
        params.verified_pieces.clear();
        params.unfinished_pieces.clear();
    }
    return OK;
}

std::vector<lt::download_priority_t> priorities_of(bool const *wanted, std::size_t count)
{
    std::vector<lt::download_priority_t> priorities(count, lt::dont_download);
    for (std::size_t i = 0; i < count; i++)
        if (wanted[i])
            priorities[i] = lt::default_priority;
    return priorities;
}

/* Peers that are known from the begin are called when libtorrent next looks around, once a second; but at
 * once when a torrent is resumed. */
bool knows_peers(struct shim_order const &order)
{
    return !order.is_stopped && (order.torrent == nullptr || order.instead != nullptr);
}

void release(struct shim_torrent &torrent)
{
    if (torrent.is_held)
        torrent.handle.resume();
    torrent.is_held = false;
}

void set_flags(struct shim_order const &order, lt::add_torrent_params &params)
{
    params.save_path = order.folder;
    params.storage_mode = lt::storage_mode_sparse;
    params.download_limit = matinee::rate_of(order.download_limit); /* not what was saved */
    params.upload_limit = matinee::rate_of(order.upload_limit);
    params.flags = lt::torrent_flags::update_subscribe | lt::torrent_flags::duplicate_is_error |
                   lt::torrent_flags::apply_ip_filter | lt::torrent_flags::default_dont_download |
                   lt::torrent_flags::need_save_resume;
    if (order.is_stopped || knows_peers(order))
        params.flags |= lt::torrent_flags::paused;
    if (params.ti)
        params.file_priorities =
            priorities_of(order.wanted, static_cast<std::size_t>(params.ti->files().num_files()));
}

/* Without the hashes of version 2, which are not of the description: peers send those with the pieces. */
std::vector<char> torrent_file_of(lt::torrent_info const &info,
                                  std::vector<lt::announce_entry> const &trackers)
{
    auto const bytes = info.info_section();
    lt::entry root;
    root["info"] = lt::entry::preformatted_type(bytes.begin(), bytes.end());
    lt::entry::list_type &tiers = root["announce-list"].list();
    for (lt::announce_entry const &tracker : trackers)
        tiers.emplace_back(lt::entry::list_type{lt::entry(tracker.url)});
    std::vector<char> out;
    lt::bencode(std::back_inserter(out), root);
    return out;
}

/* Those that we reached, of those that are there now. */
std::vector<lt::tcp::endpoint> called_peers(struct shim_torrent const &torrent)
{
    std::vector<lt::peer_info> peers;
    std::vector<lt::tcp::endpoint> called;
    torrent.handle.get_peer_info(peers);
    for (lt::peer_info const &peer : peers)
        if (peer.flags & lt::peer_info::local_connection)
            called.push_back(peer.ip);
    return called;
}

/* They can be reached again. */
void take_place(struct shim &shim, struct shim_torrent **instead, lt::add_torrent_params &params)
{
    struct shim_torrent *old = *instead;
    *instead = nullptr;
    old->ctx = nullptr;
    for (lt::tcp::endpoint const &peer : called_peers(*old))
        params.peers.push_back(peer);
    shim.session->remove_torrent(old->handle);
}

/* --- what libtorrent has to say --- */

struct taker {
    struct shim &shim;
    void (*each)(void *ctx, const struct shim_event *event);
    void *ctx;

    void tell(struct shim_event event) const
    {
        each(ctx, &event);
    }
};

/* NULL: there is none any more, or it is left to itself. */
struct shim_torrent *torrent_of(struct shim const &shim, lt::torrent_handle const &handle)
{
    if (!handle.is_valid())
        return nullptr;
    auto *torrent = handle.userdata().get<struct shim_torrent>();
    bool const is_known = shim.torrents.count(torrent) > 0 && torrent->handle == handle;
    return is_known && torrent->ctx != nullptr ? torrent : nullptr;
}

struct shim_event event_of(enum shim_event_kind kind, struct shim_torrent const *torrent)
{
    struct shim_event event = {};
    event.kind = kind;
    event.ctx = torrent->ctx;
    return event;
}

struct shim_status status_of(lt::torrent_status const &status)
{
    struct shim_status out = {};
    out.is_checking = status.state == lt::torrent_status::checking_files ||
                      status.state == lt::torrent_status::checking_resume_data;
    out.done = static_cast<std::uint64_t>(status.total_wanted_done);
    out.wanted = static_cast<std::uint64_t>(status.total_wanted);
    out.uploaded = static_cast<std::uint64_t>(status.all_time_upload);
    out.download_rate = status.download_payload_rate;
    out.upload_rate = status.upload_payload_rate;
    out.peers = status.num_peers;
    out.seeds = status.num_seeds;
    out.known_peers = status.list_peers;
    out.came = static_cast<std::uint64_t>(status.total_download);
    out.seeding_s = lt::total_seconds(status.seeding_duration);
    return out;
}

void tell_status(lt::torrent_status const &status, struct shim_torrent &torrent, taker const &taker)
{
    if (status.state != lt::torrent_status::checking_resume_data)
        release(torrent); /* or its files would never be read */
    struct shim_status const said = status_of(status);
    struct shim_event event = event_of(SHIM_STATUS, &torrent);
    event.status = &said;
    taker.tell(event);
}

void tell_resume(lt::save_resume_data_alert const &alert, struct shim_torrent const *torrent,
                 taker const &taker)
{
    std::vector<char> const bytes = lt::write_resume_data_buf(alert.params);
    struct shim_event event = event_of(SHIM_RESUME, torrent);
    event.bytes = bytes.data();
    event.size = bytes.size();
    taker.tell(event);
}

void tell_words(enum shim_event_kind kind, struct shim_torrent const *torrent, enum err failure,
                std::string const &words, taker const &taker)
{
    struct shim_event event = event_of(kind, torrent);
    event.failure = failure;
    event.words = words.c_str();
    taker.tell(event);
}

enum err kind_of(lt::error_code const &error)
{
    if (error == lt::errors::torrent_inconsistent_hashes)
        return ERR_BAD_MEDIA;
    return error == boost::system::errc::no_space_on_device || error.value() == EDQUOT ||
                   error.value() == EFBIG
               ? ERR_LIMIT
               : ERR_IO;
}

void tell_failure(struct shim_torrent &torrent, enum err failure, std::string const &words,
                  taker const &taker)
{
    torrent.is_faulty = true;
    tell_words(SHIM_DISK, &torrent, failure, words, taker);
}

/* One that we called. */
void note_peer(struct shim_torrent &torrent, lt::tcp::endpoint const &peer)
{
    auto &peers = torrent.peers;
    if (std::find(peers.begin(), peers.end(), peer) != peers.end())
        return;
    if (peers.size() == most_peers)
        peers.erase(peers.begin());
    peers.push_back(peer);
}

/* When all that was wanted had come, libtorrent hung up on the seeds and forgot that it could call them; after
 * an error it hung up on everyone, and would wait a minute before it called again. More is wanted now. */
void rejoin(struct shim_torrent &torrent)
{
    if (torrent.peers.empty() || torrent.handle.status({}).num_peers > 0)
        return;
    torrent.handle.clear_peers();
    for (lt::tcp::endpoint const &peer : torrent.peers)
        torrent.handle.connect_peer(peer);
}

/* Alerts of a torrent. */
void tell_of(lt::alert const *alert, struct shim_torrent *torrent, taker const &taker)
{
    if (auto const *piece = lt::alert_cast<lt::piece_finished_alert>(alert)) {
        struct shim_event event = event_of(SHIM_PIECE, torrent);
        event.piece = static_cast<std::uint32_t>(static_cast<int>(piece->piece_index));
        taker.tell(event);
    } else if (lt::alert_cast<lt::metadata_received_alert>(alert) != nullptr) {
        taker.tell(event_of(SHIM_METADATA, torrent));
    } else if (lt::alert_cast<lt::file_prio_alert>(alert) != nullptr) {
        rejoin(*torrent);
        taker.tell(event_of(SHIM_WANTED, torrent));
    } else if (auto const *peer = lt::alert_cast<lt::peer_connect_alert>(alert)) {
        if (peer->direction == lt::peer_connect_alert::direction_t::out)
            note_peer(*torrent, peer->endpoint);
    } else if (lt::alert_cast<lt::torrent_checked_alert>(alert) != nullptr) {
        release(*torrent);
        taker.tell(event_of(SHIM_CHECKED, torrent));
    } else if (auto const *resume = lt::alert_cast<lt::save_resume_data_alert>(alert)) {
        tell_resume(*resume, torrent, taker);
    } else if (lt::alert_cast<lt::save_resume_data_failed_alert>(alert) != nullptr) {
        taker.tell(event_of(SHIM_RESUME_FAILED, torrent));
    } else if (auto const *disk = lt::alert_cast<lt::file_error_alert>(alert)) {
        tell_failure(*torrent, kind_of(disk->error), disk->error.message(), taker);
    } else if (auto const *broken = lt::alert_cast<lt::torrent_error_alert>(alert)) {
        tell_failure(*torrent, kind_of(broken->error), broken->error.message(), taker);
    } else if (auto const *tracker = lt::alert_cast<lt::tracker_error_alert>(alert)) {
        char const *said = tracker->failure_reason();
        tell_words(SHIM_TRACKER, torrent, ERR_IO,
                   said != nullptr && said[0] != '\0' ? said : tracker->error.message(), taker);
    } else if (lt::alert_cast<lt::tracker_reply_alert>(alert) != nullptr) {
        taker.tell(event_of(SHIM_TRACKER, torrent));
    }
}

void tell_removed(struct shim_torrent *torrent, taker const &taker)
{
    taker.shim.torrents.erase(torrent);
    if (torrent->ctx != nullptr)
        taker.tell(event_of(SHIM_REMOVED, torrent));
    delete torrent;
}

/* Of those that libtorrent does not know any more, it may have said so unheard. */
void tell_gone(taker const &taker)
{
    std::vector<struct shim_torrent *> gone;
    for (struct shim_torrent *torrent : taker.shim.torrents)
        if (!torrent->handle.is_valid())
            gone.push_back(torrent);
    for (struct shim_torrent *torrent : gone)
        tell_removed(torrent, taker);
}

/* What was not heard of it: whom it reached, that it failed, what became of it. libtorrent says that once, unless
 * it changes again. */
void tell_anew(struct shim_torrent &torrent, taker const &taker)
{
    lt::torrent_status const status =
        torrent.handle.status(lt::torrent_handle::query_accurate_download_counters);
    for (lt::tcp::endpoint const &peer : called_peers(torrent))
        note_peer(torrent, peer);
    bool const is_mute = static_cast<bool>(status.flags & lt::torrent_flags::upload_mode);
    if (status.errc && !torrent.is_faulty)
        tell_failure(torrent, kind_of(status.errc), status.errc.message(), taker);
    else if (is_mute && !torrent.is_faulty)
        tell_failure(torrent, ERR_IO, "what came could not be written", taker);
    tell_status(status, torrent, taker);
}

/* Events were lost, and are made up for. */
void tell_missed(taker const &taker)
{
    struct shim_event event = {};
    event.kind = SHIM_MISSED;
    taker.tell(event);
    auto const torrents = taker.shim.torrents; /* what is told may change it */
    for (struct shim_torrent *torrent : torrents)
        if (torrent->ctx != nullptr)
            matinee::attempted([&] { tell_anew(*torrent, taker); });
}

void tell(lt::alert const *alert, taker const &taker)
{
    if (auto const *status = lt::alert_cast<lt::state_update_alert>(alert)) {
        for (lt::torrent_status const &one : status->status)
            if (struct shim_torrent *torrent = torrent_of(taker.shim, one.handle))
                tell_status(one, *torrent, taker);
        tell_gone(taker);
    } else if (auto const *removed = lt::alert_cast<lt::torrent_removed_alert>(alert)) {
        auto *torrent = removed->userdata.get<struct shim_torrent>();
        if (taker.shim.torrents.count(torrent) > 0 && torrent->handle == removed->handle)
            tell_removed(torrent, taker);
    } else if (lt::alert_cast<lt::alerts_dropped_alert>(alert) != nullptr) {
        tell_missed(taker);
    } else if (auto const *deaf = lt::alert_cast<lt::listen_failed_alert>(alert)) {
        std::string const words = deaf->message();
        struct shim_event event = {};
        event.kind = SHIM_LISTEN;
        event.failure = ERR_IO;
        event.words = words.c_str();
        taker.tell(event);
    } else if (auto const *of_torrent = dynamic_cast<lt::torrent_alert const *>(alert)) {
        struct shim_torrent *torrent = torrent_of(taker.shim, of_torrent->handle);
        if (torrent != nullptr)
            tell_of(alert, torrent, taker);
    }
}

} // namespace

/* --- the session --- */

enum err shim_open(const struct shim_settings *settings, void (*wake)(void *ctx), void *ctx,
                   struct shim **out, struct why *why)
{
    return matinee::guarded(
        why, [&]() -> enum err {
            lt::session_params params;
            params.settings = matinee::pack_of(*settings);
            params.disk_io_constructor = lt::mmap_disk_io_constructor;
            auto made = std::make_unique<struct shim>();
            made->allow_local = settings->allow_local;
            made->session = std::make_unique<lt::session>(std::move(params));
            if (!settings->allow_local)
                made->session->set_ip_filter(matinee::local_filter());
            made->session->set_peer_class_filter(matinee::one_class());
            made->session->set_alert_notify([wake, ctx] { wake(ctx); });
            *out = made.release();
            return OK;
        });
}

void shim_close(struct shim **shim)
{
    struct shim *gone = *shim;
    *shim = nullptr;
    if (gone == nullptr)
        return;
    matinee::attempted([&] {
        gone->session->set_alert_notify({});
        gone->session.reset();
    });
    for (struct shim_torrent *torrent : gone->torrents)
        delete torrent;
    delete gone;
}

void shim_set_utp(struct shim *shim, bool is_on)
{
    matinee::attempted([&] {
        lt::settings_pack pack;
        pack.set_bool(lt::settings_pack::enable_outgoing_utp, is_on);
        shim->session->apply_settings(std::move(pack));
    });
}

void shim_take_events(struct shim *shim, void (*each)(void *ctx, const struct shim_event *event),
                      void *ctx)
{
    taker const taker = {*shim, each, ctx};
    matinee::attempted([&] {
        std::vector<lt::alert *> alerts;
        shim->session->pop_alerts(&alerts);
        for (lt::alert const *alert : alerts)
            matinee::attempted([&] { tell(alert, taker); });
    });
}

void shim_ask_status(struct shim *shim)
{
    matinee::attempted([&] { shim->session->post_torrent_updates(); });
}

/* --- torrents --- */

enum err shim_add(struct shim *shim, const struct shim_order *order, struct shim_torrent **out,
                  struct why *why)
{
    return matinee::guarded(
        why, [&]() -> enum err {
            lt::add_torrent_params params;
            enum err const kind = params_of(*shim, *order, params, why);
            if (kind != OK)
                return kind;
            set_flags(*order, params);
            if (order->instead != nullptr)
                take_place(*shim, order->instead, params);
            auto torrent = std::make_unique<struct shim_torrent>();
            torrent->shim = shim;
            torrent->ctx = order->ctx;
            params.userdata = torrent.get();
            matinee::watch_peers(torrent->waiting, params);
            lt::error_code error;
            torrent->handle = shim->session->add_torrent(std::move(params), error);
            if (error == lt::errors::duplicate_torrent)
                return why_set(why, ERR_BUSY, nullptr, "this torrent is here already");
            if (error)
                return why_set(why, ERR_IO, nullptr, "the torrent cannot be added: %s",
                               error.message().c_str());
            torrent->is_held = knows_peers(*order);
            if (order->torrent == nullptr)
                release(*torrent);
            shim->torrents.insert(torrent.get());
            *out = torrent.release();
            return OK;
        });
}

void shim_remove(struct shim_torrent **torrent)
{
    struct shim_torrent *gone = *torrent;
    *torrent = nullptr;
    if (gone != nullptr)
        matinee::attempted([&] { gone->shim->session->remove_torrent(gone->handle); });
}

void shim_stop(struct shim_torrent *torrent)
{
    torrent->is_held = false;
    matinee::attempted([&] { torrent->handle.pause(); });
}

void shim_start(struct shim_torrent *torrent)
{
    matinee::attempted([&] { torrent->handle.resume(); });
}

enum err shim_metadata(struct shim_torrent *torrent, struct shim_meta **out, uint8_t **bytes,
                       size_t *size, struct why *why)
{
    return matinee::guarded(
        why, [&]() -> enum err {
            std::shared_ptr<lt::torrent_info const> const info = torrent->handle.torrent_file();
            if (!info)
                return why_set(why, ERR_NOT_FOUND, nullptr, "its description has not come yet");
            enum err const kind = matinee::judge(*info, why);
            if (kind != OK)
                return kind;
            std::vector<char> const written = torrent_file_of(*info, torrent->handle.trackers());
            *out = matinee::describe(*info);
            *bytes = static_cast<uint8_t *>(mem_dup(written.data(), written.size()));
            *size = written.size();
            return OK;
        });
}

void shim_want(struct shim_torrent *torrent, const bool *wanted, size_t count)
{
    matinee::attempted([&] { torrent->handle.prioritize_files(priorities_of(wanted, count)); });
}

bool shim_has(const struct shim_torrent *torrent, uint32_t piece)
{
    bool has = false;
    matinee::attempted(
        [&] { has = torrent->handle.have_piece(lt::piece_index_t(static_cast<int>(piece))); });
    return has;
}

void shim_pieces(const struct shim_torrent *torrent, uint8_t *have, uint32_t count)
{
    matinee::attempted([&] {
        lt::torrent_status const status = torrent->handle.status(lt::torrent_handle::query_pieces);
        int const known = std::min(status.pieces.size(), static_cast<int>(count));
        for (int i = 0; i < known; i++)
            if (status.pieces.get_bit(lt::piece_index_t(i)))
                have[i] = 1;
    });
}

void shim_save(struct shim_torrent *torrent)
{
    matinee::attempted([&] { torrent->handle.save_resume_data(); });
}

void shim_prioritize(struct shim_torrent *torrent, const struct shim_priority *list, size_t count)
{
    matinee::attempted([&] {
        std::vector<std::pair<lt::piece_index_t, lt::download_priority_t>> pieces;
        pieces.reserve(count);
        for (std::size_t i = 0; i < count; i++)
            pieces.emplace_back(lt::piece_index_t(static_cast<int>(list[i].piece)),
                                lt::download_priority_t(list[i].priority));
        torrent->handle.prioritize_pieces(pieces);
    });
}

void shim_set_deadline(struct shim_torrent *torrent, uint32_t piece, int ms)
{
    matinee::attempted([&] {
        torrent->handle.set_piece_deadline(lt::piece_index_t(static_cast<int>(piece)), ms);
    });
}

void shim_clear_deadline(struct shim_torrent *torrent, uint32_t piece)
{
    matinee::attempted(
        [&] { torrent->handle.reset_piece_deadline(lt::piece_index_t(static_cast<int>(piece))); });
}

void shim_set_sequential(struct shim_torrent *torrent, bool is_sequential)
{
    matinee::attempted([&] {
        if (is_sequential)
            torrent->handle.set_flags(lt::torrent_flags::sequential_download);
        else
            torrent->handle.unset_flags(lt::torrent_flags::sequential_download);
    });
}

void shim_limit(struct shim_torrent *torrent, int64_t download, int64_t upload)
{
    matinee::attempted([&] {
        torrent->handle.set_download_limit(matinee::rate_of(download));
        torrent->handle.set_upload_limit(matinee::rate_of(upload));
    });
}

bool shim_watch_peers(struct shim_torrent *torrent, bool is_waited_for)
{
    torrent->waiting->is_waited_for = is_waited_for;
    return torrent->waiting->has_lost.exchange(false);
}

void shim_call_again(struct shim_torrent *torrent)
{
    matinee::attempted([&] {
        rejoin(*torrent);
        torrent->handle.force_reannounce();
        torrent->handle.force_dht_announce();
    });
}

void shim_retry_disk(struct shim_torrent *torrent)
{
    matinee::attempted([&] {
        torrent->is_faulty = false;
        torrent->handle.clear_error();
        torrent->handle.unset_flags(lt::torrent_flags::upload_mode);
        torrent->handle.resume();
        rejoin(*torrent);
    });
}
