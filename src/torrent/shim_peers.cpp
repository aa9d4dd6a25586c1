/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Peers that owe blocks and send nothing. libtorrent waits a minute for such a peer, and meanwhile takes
 * back from it a block every few seconds: too long for somebody who watches. While somebody waits, and
 * others do send, it is hung up on, and what it owed is asked of them; it may be called again later.
 * Threads: libtorrent's network thread, but for `is_waited_for`. */
#include <libtorrent/error_code.hpp>
#include <libtorrent/extensions.hpp>
#include <libtorrent/operations.hpp>
#include <libtorrent/peer_connection_handle.hpp>
#include <libtorrent/peer_info.hpp>

#include "torrent/shim.hpp"

namespace matinee
{

namespace
{

/* More than what is lost on the way takes to be sent again; whoever is merely slow sends all the time. */
constexpr lt::milliseconds silent_for(2500);
/* The others have sent since: it is not our own line that is down. */
constexpr lt::seconds lively_for(2);

class peer_watch final : public lt::peer_plugin
{
  public:
    peer_watch(lt::peer_connection_handle peer, std::shared_ptr<struct waiting> waiting)
        : peer_(std::move(peer)), waiting_(std::move(waiting)), moved_(lt::clock_type::now())
    {
    }

    void tick() override
    {
        lt::peer_info info;
        lt::time_point const now = lt::clock_type::now();
        peer_.get_peer_info(info);
        if (info.total_download != came_)
            waiting_->moved = now;
        if (info.total_download != came_ || info.download_queue_length == 0)
            moved_ = now;
        came_ = info.total_download;
        if (!waiting_->is_waited_for || now - moved_ <= silent_for ||
            now - waiting_->moved >= lively_for)
            return;
        peer_.disconnect(lt::errors::timed_out_inactivity, lt::operation_t::bittorrent);
        waiting_->has_lost = true;
    }

  private:
    lt::peer_connection_handle peer_;
    std::shared_ptr<struct waiting> waiting_;
    lt::time_point moved_; /* it sent something, or owed nothing */
    std::int64_t came_ = 0;
};

class torrent_watch final : public lt::torrent_plugin
{
  public:
    explicit torrent_watch(std::shared_ptr<struct waiting> waiting) : waiting_(std::move(waiting))
    {
    }

    std::shared_ptr<lt::peer_plugin> new_connection(lt::peer_connection_handle const &peer) override
    {
        return std::make_shared<peer_watch>(peer, waiting_);
    }

  private:
    std::shared_ptr<struct waiting> waiting_;
};

} // namespace

void watch_peers(std::shared_ptr<struct waiting> const &waiting, lt::add_torrent_params &params)
{
    params.extensions.emplace_back([waiting](lt::torrent_handle const &, lt::client_data_t) {
        return std::make_shared<torrent_watch>(waiting);
    });
}

} // namespace matinee
