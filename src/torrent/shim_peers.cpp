/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Peers that owe blocks and send nothing. libtorrent waits a minute for such a peer, and meanwhile takes
 * back from it a block every few seconds: too long for somebody who watches. While somebody waits, and
 * others do send, it is hung up on, and what it owed is asked of them; it may be called again later.
 * Threads: libtorrent's network thread, but for `is_waited_for`. */
#include <algorithm>
#include <utility>

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

/* More than what is lost on the way takes to be sent again; whoever is merely slow sends all the time. Whoever
 * would have sent so many blocks meanwhile, as fast as it was, has stopped. */
constexpr lt::milliseconds least_silence(1000);
constexpr lt::milliseconds most_silence(2500);
constexpr std::int64_t missed_bytes = 8 * 16384;
/* The others have sent since: it is not our own line that is down. */
constexpr lt::seconds lively_for(2);
constexpr lt::milliseconds look_every(200);

} // namespace

class peer_watch final : public lt::peer_plugin
{
  public:
    peer_watch(lt::peer_connection_handle peer, std::shared_ptr<struct waiting> waiting)
        : peer_(std::move(peer)), waiting_(std::move(waiting)), moved_(lt::clock_type::now())
    {
        waiting_->peers.push_back(this);
    }
    ~peer_watch() override
    {
        leave();
    }
    peer_watch(peer_watch const &) = delete;
    peer_watch &operator=(peer_watch const &) = delete;

    /* libtorrent keeps it for a while yet. */
    void on_disconnect(lt::error_code const &) override
    {
        leave();
    }

    void tick() override
    {
        look_at_all(*waiting_);
    }

    /* Seconds are long for who waits: while others send it is looked at when they do. */
    bool on_piece(lt::peer_request const &, lt::span<char const>) override
    {
        if (waiting_->is_waited_for)
            look_at_all(*waiting_);
        return false;
    }

  private:
    void leave()
    {
        std::vector<peer_watch *> &peers = waiting_->peers;
        peers.erase(std::remove(peers.begin(), peers.end(), this), peers.end());
    }

    static void look_at_all(struct waiting &waiting)
    {
        lt::time_point const now = lt::clock_type::now();
        if (now - waiting.looked < look_every)
            return;
        waiting.looked = now;
        for (peer_watch *peer : waiting.peers)
            peer->look(now);
        if (!waiting.is_waited_for || now - waiting.moved >= lively_for)
            return;
        /* Whoever is hung up on leaves the list. */
        std::vector<lt::peer_connection_handle> silent;
        for (peer_watch const *peer : waiting.peers)
            if (waiting.moved - peer->moved_ > peer->patience()) /* since then others went on */
                silent.push_back(peer->peer_);
        for (lt::peer_connection_handle &peer : silent)
            peer.disconnect(lt::errors::timed_out_inactivity, lt::operation_t::bittorrent);
        if (!silent.empty())
            waiting.has_lost = true;
    }

    void look(lt::time_point now)
    {
        lt::peer_info info;
        peer_.get_peer_info(info);
        bool const is_sending = info.total_download != came_;
        if (is_sending) {
            waiting_->moved = now;
            rate_ = info.payload_down_speed;
        }
        bool const owed = owes_;
        /* Who waits for our own limits is not silent. */
        owes_ = info.download_queue_length > 0 && !(info.read_state & lt::peer_info::bw_limit);
        if (is_sending || !owed || !owes_)
            moved_ = now;
        came_ = info.total_download;
    }

    lt::time_duration patience() const
    {
        if (rate_ <= 0)
            return most_silence;
        lt::milliseconds const missed(missed_bytes * 1000 / rate_);
        return std::clamp(missed, least_silence, most_silence);
    }

    lt::peer_connection_handle peer_;
    std::shared_ptr<struct waiting> waiting_;
    lt::time_point moved_; /* when it was seen to have sent something, or to have owed nothing */
    bool owes_ = false;
    std::int64_t came_ = 0;
    std::int64_t rate_ = 0; /* bytes a second, when it last sent; 0: unknown */
};

namespace
{

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
