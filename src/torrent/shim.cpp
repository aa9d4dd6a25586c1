/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "torrent/shim.hpp"

#include <algorithm>
#include <climits>
#include <cstring>
#include <string>
#include <unordered_set>
#include <vector>

#include <libtorrent/alert_types.hpp>
#include <libtorrent/bencode.hpp>
#include <libtorrent/ip_filter.hpp>
#include <libtorrent/mmap_disk_io.hpp>
#include <libtorrent/peer_class.hpp>
#include <libtorrent/peer_info.hpp>
#include <libtorrent/read_resume_data.hpp>
#include <libtorrent/session.hpp>
#include <libtorrent/session_params.hpp>
#include <libtorrent/torrent_handle.hpp>
#include <libtorrent/torrent_status.hpp>
#include <libtorrent/write_resume_data.hpp>

extern "C" {
#include "base/mem.h"
#include "base/str.h"
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
};

namespace
{

using lt::settings_pack;

/* --- settings (torrent-engine 7) --- */

constexpr int most_alerts = 20'000;
constexpr int most_metadata_bytes = 4 * 1024 * 1024;
constexpr int most_pieces = 200'000;
constexpr std::size_t most_peers = 100;

char const *const local_ranges[][2] = {
    {"0.0.0.0", "0.255.255.255"},
    {"10.0.0.0", "10.255.255.255"},
    {"100.64.0.0", "100.127.255.255"},
    {"127.0.0.0", "127.255.255.255"},
    {"169.254.0.0", "169.254.255.255"},
    {"172.16.0.0", "172.31.255.255"},
    {"192.168.0.0", "192.168.255.255"},
    {"224.0.0.0", "255.255.255.255"},
    {"::", "::1"},
    {"::ffff:0.0.0.0", "::ffff:255.255.255.255"},
    {"64:ff9b::", "64:ff9b::ffff:ffff"},
    {"fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
};

lt::ip_filter local_filter()
{
    lt::ip_filter filter;
    for (auto const &range : local_ranges)
        filter.add_rule(lt::make_address(range[0]), lt::make_address(range[1]),
                        lt::ip_filter::blocked);
    return filter;
}

/* Peers nearby would have no limit of their rate otherwise. */
lt::ip_filter one_class()
{
    auto const bit = 1U << static_cast<std::uint32_t>(lt::session::global_peer_class_id);
    lt::ip_filter filter;
    filter.add_rule(lt::make_address("0.0.0.0"), lt::make_address("255.255.255.255"), bit);
    filter.add_rule(lt::make_address("::"),
                    lt::make_address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), bit);
    return filter;
}

int rate_of(std::int64_t bytes)
{
    return static_cast<int>(std::min<std::int64_t>(bytes, INT_MAX));
}

void set_limits(settings_pack &pack, struct shim_settings const &settings)
{
    pack.set_int(settings_pack::download_rate_limit, rate_of(settings.download_rate));
    pack.set_int(settings_pack::upload_rate_limit, rate_of(settings.upload_rate));
    pack.set_int(settings_pack::connections_limit, settings.connections);
    pack.set_int(settings_pack::max_peerlist_size, 1000);
    pack.set_int(settings_pack::unchoke_slots_limit, 8);
    pack.set_int(settings_pack::listen_queue_size, 32);
    pack.set_int(settings_pack::max_pex_peers, 50);
    pack.set_int(settings_pack::max_metadata_size, most_metadata_bytes);
    pack.set_int(settings_pack::max_piece_count, most_pieces);
    pack.set_int(settings_pack::max_web_seed_connections, 3);
    pack.set_int(settings_pack::urlseed_max_request_bytes, 4 * 1024 * 1024);
    pack.set_int(settings_pack::urlseed_timeout, 10);
    pack.set_int(settings_pack::tracker_maximum_response_length, 256 * 1024);
}

void set_network(settings_pack &pack, struct shim_settings const &settings)
{
    bool const is_bound = settings.interface != nullptr;
    pack.set_str(settings_pack::user_agent, "matinee/" MATINEE_VERSION);
    pack.set_str(settings_pack::listen_interfaces, settings.listen);
    pack.set_str(settings_pack::outgoing_interfaces, is_bound ? settings.interface : "");
    pack.set_bool(settings_pack::listen_system_port_fallback, !is_bound);
    pack.set_bool(settings_pack::enable_outgoing_utp, false);
    pack.set_bool(settings_pack::enable_dht, settings.dht);
    pack.set_bool(settings_pack::enable_lsd, settings.lsd);
    pack.set_bool(settings_pack::enable_upnp, settings.upnp);
    pack.set_bool(settings_pack::enable_natpmp, settings.upnp);
    pack.set_bool(settings_pack::ssrf_mitigation, !settings.allow_local);
    pack.set_bool(settings_pack::no_connect_privileged_ports, true);
    pack.set_bool(settings_pack::apply_ip_filter_to_trackers, true);
    pack.set_bool(settings_pack::allow_multiple_connections_per_ip, settings.allow_local);
    pack.set_bool(settings_pack::validate_https_trackers, true);
    pack.set_bool(settings_pack::allow_idna, false);
    pack.set_bool(settings_pack::anonymous_mode, is_bound || settings.proxy != nullptr);
    int const policy =
        settings.encrypted_only ? settings_pack::pe_forced : settings_pack::pe_enabled;
    pack.set_int(settings_pack::out_enc_policy, policy);
    pack.set_int(settings_pack::in_enc_policy, policy);
    pack.set_int(settings_pack::allowed_enc_level, settings_pack::pe_both);
    pack.set_bool(settings_pack::prefer_rc4, false);
}

/* "socks5://host:port" or "host:port". */
void set_proxy(settings_pack &pack, char const *proxy)
{
    constexpr std::uint64_t usual_port = 1080;
    constexpr std::uint64_t most_port = 65535;
    if (proxy == nullptr)
        return;
    std::string place = proxy;
    std::size_t const begin = place.find("://");
    place = begin == std::string::npos ? place : place.substr(begin + 3);
    std::size_t const colon = place.rfind(':');
    std::uint64_t port = usual_port;
    if (colon != std::string::npos &&
        slice_number(slice_of(place.c_str() + colon + 1), most_port, &port) != OK)
        port = 0; /* nowhere: nothing leaves beside it */
    pack.set_int(settings_pack::proxy_type, settings_pack::socks5);
    pack.set_str(settings_pack::proxy_hostname, place.substr(0, colon));
    pack.set_int(settings_pack::proxy_port, static_cast<int>(port));
    pack.set_bool(settings_pack::proxy_hostnames, true);
    pack.set_bool(settings_pack::proxy_peer_connections, true);
    pack.set_bool(settings_pack::proxy_tracker_connections, true);
}

/* Values measured in torrent-engine 3 and 7. */
void set_picking(settings_pack &pack)
{
    pack.set_int(settings_pack::initial_picker_threshold, 0);
    pack.set_int(settings_pack::whole_pieces_threshold, 0);
    pack.set_bool(settings_pack::strict_end_game_mode, true);
    pack.set_int(settings_pack::request_queue_time, 3);
    pack.set_int(settings_pack::max_out_request_queue, 500);
    pack.set_int(settings_pack::piece_timeout, 10);
    pack.set_int(settings_pack::request_timeout, 20);
    pack.set_int(settings_pack::peer_timeout, 60);
    pack.set_int(settings_pack::peer_connect_timeout, 7);
    pack.set_bool(settings_pack::smooth_connects, true);
    pack.set_int(settings_pack::tick_interval, 100);
    pack.set_int(settings_pack::connection_speed, 30);
    pack.set_int(settings_pack::torrent_connect_boost, 30);
}

/* No memory maps: a file that shrinks would kill the server, and its pages count as ours. */
void set_disk(settings_pack &pack)
{
    pack.set_int(settings_pack::aio_threads, 4);
    pack.set_int(settings_pack::hashing_threads, 1);
    pack.set_int(settings_pack::checking_mem_usage, 256);
    pack.set_int(settings_pack::file_pool_size, 40);
    pack.set_int(settings_pack::max_queued_disk_bytes, 8 * 1024 * 1024);
    pack.set_int(settings_pack::mmap_file_size_cutoff, INT_MAX);
    pack.set_int(settings_pack::disk_write_mode, settings_pack::always_pwrite);
    pack.set_bool(settings_pack::no_atime_storage, true);
}

settings_pack pack_of(struct shim_settings const &settings)
{
    settings_pack pack;
    pack.set_int(settings_pack::alert_mask,
                 static_cast<int>(static_cast<std::uint32_t>(
                     lt::alert_category::error | lt::alert_category::status |
                     lt::alert_category::storage | lt::alert_category::piece_progress |
                     lt::alert_category::tracker | lt::alert_category::connect)));
    pack.set_int(settings_pack::alert_queue_size, most_alerts);
    set_limits(pack, settings);
    set_network(pack, settings);
    set_proxy(pack, settings.proxy);
    set_picking(pack);
    set_disk(pack);
    return pack;
}

/* --- adding --- */

/* What was saved of it, as far as it is to be believed: no places, no names of files. */
enum err read_resume(struct shim_order const &order, lt::add_torrent_params &params)
{
    lt::error_code error;
    lt::load_torrent_limits limits;
    lt::add_torrent_params saved = lt::read_resume_data(
        {static_cast<char const *>(order.resume), static_cast<std::ptrdiff_t>(order.resume_size)},
        error, limits);
    if (error || saved.info_hashes != params.info_hashes)
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
    if (order.resume != nullptr && params.ti)
        (void) read_resume(order, params);
    if (order.have != nullptr && params.ti)
        set_have(order, params);
    if (order.names != nullptr && params.ti)
        set_names(order, params);
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

void set_flags(struct shim_order const &order, lt::add_torrent_params &params)
{
    params.save_path = order.folder;
    params.storage_mode = lt::storage_mode_sparse;
    params.flags = lt::torrent_flags::update_subscribe | lt::torrent_flags::duplicate_is_error |
                   lt::torrent_flags::apply_ip_filter | lt::torrent_flags::default_dont_download |
                   lt::torrent_flags::need_save_resume;
    if (order.is_stopped)
        params.flags |= lt::torrent_flags::paused;
    if (params.ti)
        params.file_priorities =
            priorities_of(order.wanted, static_cast<std::size_t>(params.ti->files().num_files()));
}

/* Those that we reached can be reached again. */
void take_place(struct shim &shim, struct shim_torrent **instead, lt::add_torrent_params &params)
{
    struct shim_torrent *old = *instead;
    *instead = nullptr;
    old->ctx = nullptr;
    std::vector<lt::peer_info> peers;
    old->handle.get_peer_info(peers);
    for (lt::peer_info const &peer : peers)
        if (peer.flags & lt::peer_info::local_connection)
            params.peers.push_back(peer.ip);
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
    out.seeding_s = lt::total_seconds(status.seeding_duration);
    return out;
}

void tell_status(lt::state_update_alert const &alert, taker const &taker)
{
    for (lt::torrent_status const &status : alert.status) {
        struct shim_torrent const *torrent = torrent_of(taker.shim, status.handle);
        if (torrent == nullptr)
            continue;
        struct shim_status const said = status_of(status);
        struct shim_event event = event_of(SHIM_STATUS, torrent);
        event.status = &said;
        taker.tell(event);
    }
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

void tell_failure(enum shim_event_kind kind, struct shim_torrent const *torrent, enum err failure,
                  std::string const &words, taker const &taker)
{
    struct shim_event event = event_of(kind, torrent);
    event.failure = failure;
    event.words = words.c_str();
    taker.tell(event);
}

enum err kind_of(lt::error_code const &error)
{
    return error == boost::system::errc::no_space_on_device || error.value() == EDQUOT ||
                   error.value() == EFBIG
               ? ERR_LIMIT
               : ERR_IO;
}

void note_peer(struct shim_torrent &torrent, lt::peer_connect_alert const &alert)
{
    auto &peers = torrent.peers;
    bool const is_known = std::find(peers.begin(), peers.end(), alert.endpoint) != peers.end();
    if (alert.direction != lt::peer_connect_alert::direction_t::out || is_known)
        return;
    if (peers.size() == most_peers)
        peers.erase(peers.begin());
    peers.push_back(alert.endpoint);
}

/* When all that was wanted had come, libtorrent hung up on the seeds and forgot that it could call them;
 * more is wanted now. */
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
        note_peer(*torrent, *peer);
    } else if (lt::alert_cast<lt::torrent_checked_alert>(alert) != nullptr) {
        taker.tell(event_of(SHIM_CHECKED, torrent));
    } else if (auto const *resume = lt::alert_cast<lt::save_resume_data_alert>(alert)) {
        tell_resume(*resume, torrent, taker);
    } else if (lt::alert_cast<lt::save_resume_data_failed_alert>(alert) != nullptr) {
        taker.tell(event_of(SHIM_RESUME_FAILED, torrent));
    } else if (auto const *disk = lt::alert_cast<lt::file_error_alert>(alert)) {
        tell_failure(SHIM_DISK, torrent, kind_of(disk->error), disk->error.message(), taker);
    } else if (auto const *broken = lt::alert_cast<lt::torrent_error_alert>(alert)) {
        tell_failure(SHIM_DISK, torrent, kind_of(broken->error), broken->error.message(), taker);
    } else if (auto const *tracker = lt::alert_cast<lt::tracker_error_alert>(alert)) {
        char const *said = tracker->failure_reason();
        tell_failure(SHIM_TRACKER, torrent, ERR_IO,
                     said != nullptr && said[0] != '\0' ? said : tracker->error.message(), taker);
    } else if (lt::alert_cast<lt::tracker_reply_alert>(alert) != nullptr) {
        taker.tell(event_of(SHIM_TRACKER, torrent));
    }
}

void tell(lt::alert const *alert, taker const &taker)
{
    if (auto const *status = lt::alert_cast<lt::state_update_alert>(alert)) {
        tell_status(*status, taker);
    } else if (auto const *removed = lt::alert_cast<lt::torrent_removed_alert>(alert)) {
        auto *torrent = removed->userdata.get<struct shim_torrent>();
        if (taker.shim.torrents.erase(torrent) > 0) {
            if (torrent->ctx != nullptr)
                taker.tell(event_of(SHIM_REMOVED, torrent));
            delete torrent;
        }
    } else if (lt::alert_cast<lt::alerts_dropped_alert>(alert) != nullptr) {
        struct shim_event event = {};
        event.kind = SHIM_MISSED;
        taker.tell(event);
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

namespace matinee
{

bool is_local(lt::address const &address)
{
    static lt::ip_filter const filter = local_filter();
    return filter.access(address) != 0;
}

} // namespace matinee

/* --- the session --- */

enum err shim_open(const struct shim_settings *settings, void (*wake)(void *ctx), void *ctx,
                   struct shim **out, struct why *why)
{
    return matinee::guarded(
        why, [&]() -> enum err {
            lt::session_params params;
            params.settings = pack_of(*settings);
            params.disk_io_constructor = lt::mmap_disk_io_constructor;
            auto made = std::make_unique<struct shim>();
            made->allow_local = settings->allow_local;
            made->session = std::make_unique<lt::session>(std::move(params));
            if (!settings->allow_local)
                made->session->set_ip_filter(local_filter());
            made->session->set_peer_class_filter(one_class());
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
        settings_pack pack;
        pack.set_bool(settings_pack::enable_outgoing_utp, is_on);
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
            lt::error_code error;
            torrent->handle = shim->session->add_torrent(std::move(params), error);
            if (error == lt::errors::duplicate_torrent)
                return why_set(why, ERR_BUSY, nullptr, "this torrent is here already");
            if (error)
                return why_set(why, ERR_IO, nullptr, "the torrent cannot be added: %s",
                               error.message().c_str());
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
            lt::add_torrent_params params;
            params.ti = std::make_shared<lt::torrent_info>(*info);
            for (lt::announce_entry const &tracker : torrent->handle.trackers())
                params.trackers.push_back(tracker.url);
            std::vector<char> const written = lt::write_torrent_file_buf(params, {});
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

void shim_retry_disk(struct shim_torrent *torrent)
{
    matinee::attempted([&] {
        torrent->handle.clear_error();
        torrent->handle.unset_flags(lt::torrent_flags::upload_mode);
        torrent->handle.resume();
    });
}
