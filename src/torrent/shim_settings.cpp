/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The settings of the session (torrent-engine 7), and whom it does not speak to. */
#include "torrent/shim.hpp"

#include <algorithm>
#include <climits>
#include <string>

#include <libtorrent/alert.hpp>
#include <libtorrent/ip_filter.hpp>
#include <libtorrent/peer_class.hpp>
#include <libtorrent/session.hpp>
#include <libtorrent/settings_pack.hpp>

extern "C" {
#include "base/str.h"
}

namespace matinee
{

namespace
{

using lt::settings_pack;

constexpr int most_alerts = 20'000;
constexpr int most_metadata_bytes = 4 * 1024 * 1024;
constexpr int most_pieces = 200'000;

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

/* "0.0.0.0:6881,[::]:6881": whoever is bound to a device is reached there too, and nowhere else. */
std::string listen_of(struct shim_settings const &settings)
{
    std::string const listen = settings.listen;
    if (settings.interface == nullptr)
        return listen;
    std::string const first = listen.substr(0, listen.find(','));
    std::size_t const colon = first.rfind(':');
    return settings.interface + (colon != std::string::npos ? first.substr(colon) : ":0");
}

void set_network(settings_pack &pack, struct shim_settings const &settings)
{
    bool const is_bound = settings.interface != nullptr;
    pack.set_str(settings_pack::user_agent, "matinee/" MATINEE_VERSION);
    pack.set_str(settings_pack::listen_interfaces, listen_of(settings));
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
    pack.set_int(settings_pack::min_reconnect_time,
                 20); /* the usual minute is long for who watches */
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

} // namespace

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

settings_pack pack_of(struct shim_settings const &settings)
{
    settings_pack pack;
    pack.set_int(settings_pack::alert_mask,
                 static_cast<int>(static_cast<std::uint32_t>(
                     lt::alert_category::error | lt::alert_category::status |
                     lt::alert_category::storage | lt::alert_category::piece_progress |
                     lt::alert_category::tracker | lt::alert_category::connect)));
    pack.set_int(settings_pack::alert_queue_size,
                 settings.most_events > 0 ? settings.most_events : most_alerts);
    set_limits(pack, settings);
    set_network(pack, settings);
    set_proxy(pack, settings.proxy);
    set_picking(pack);
    set_disk(pack);
    return pack;
}

bool is_local(lt::address const &address)
{
    static lt::ip_filter const filter = local_filter();
    return filter.access(address) != 0;
}

} // namespace matinee
