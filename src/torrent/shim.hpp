/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of the shim share. */
#pragma once

#include <algorithm>
#include <atomic>
#include <climits>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <vector>

#include <libtorrent/add_torrent_params.hpp>
#include <libtorrent/address.hpp>
#include <libtorrent/ip_filter.hpp>
#include <libtorrent/settings_pack.hpp>
#include <libtorrent/time.hpp>
#include <libtorrent/torrent_info.hpp>

extern "C" {
#include "torrent/shim.h"
}

namespace matinee
{

/* Refuses what libtorrent lets through (torrent-engine 6). */
enum err judge(lt::torrent_info const &info, struct why *why);
/* Of metadata that was judged. */
struct shim_meta *describe(lt::torrent_info const &info);
/* A .torrent, read within our limits, and judged. */
enum err read_torrent(void const *bytes, std::size_t size, lt::add_torrent_params &out,
                      struct why *why);
/* A magnet, without what it may not ask of us. */
enum err read_magnet(char const *uri, bool allow_local, lt::add_torrent_params &out,
                     struct why *why);
bool is_local(lt::address const &address);

class peer_watch;
/* Of a torrent: whether somebody waits for bytes of it, and when some came from any peer. */
struct waiting {
    std::atomic<bool> is_waited_for{false};
    std::atomic<bool> has_lost{false}; /* a peer that owed, since it was last asked */
    /* libtorrent's thread */
    lt::time_point moved, looked;
    std::vector<peer_watch *> peers;
};
/* Peers that owe what somebody waits for and send nothing will be hung up on. */
void watch_peers(std::shared_ptr<struct waiting> const &waiting, lt::add_torrent_params &params);

/* As libtorrent takes it. */
inline int rate_of(std::int64_t bytes)
{
    return static_cast<int>(std::min<std::int64_t>(bytes, INT_MAX));
}
lt::settings_pack pack_of(struct shim_settings const &settings);
/* Nobody of this machine and its networks. */
lt::ip_filter local_filter();
/* All are of the class that has our limits. */
lt::ip_filter one_class();

/* Nothing that C++ throws passes a C function. */
template <typename Work> enum err guarded(struct why *why, Work work) noexcept
{
    try {
        return work();
    } catch (std::bad_alloc const &) {
        must_failed("memory", __FILE__, __LINE__);
    } catch (std::exception const &error) {
        return why_set(why, ERR_IO, nullptr, "%s", error.what());
    } catch (...) {
        return why_set(why, ERR_IO, nullptr, "libtorrent failed");
    }
}

/* For calls on a torrent that may have gone meanwhile: then nothing happens. */
template <typename Work> void attempted(Work work) noexcept
{
    (void) guarded(nullptr, [&] {
        work();
        return OK;
    });
}

} // namespace matinee
