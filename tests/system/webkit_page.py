# SPDX-License-Identifier: GPL-3.0-or-later
"""A page in WebKitGTK, to be run by python3 under xvfb-run and dbus-run-session:

    webkit_page.py BASE-URL HTML-FILE SECONDS

What the page says by webkit.messageHandlers.say.postMessage comes out on stdout, a line each, after
"webkit: "; it ends when the page's title is "end", or after SECONDS."""

import sys

import gi

gi.require_version("Gtk", "3.0")
gi.require_version("WebKit2", "4.1")
from gi.repository import GLib, Gtk, WebKit2  # noqa: E402


def main(base, file, seconds):
    context = WebKit2.WebContext.new_ephemeral() if hasattr(WebKit2.WebContext, "new_ephemeral") \
        else WebKit2.WebContext.get_default()
    view = WebKit2.WebView.new_with_context(context)
    manager = view.get_user_content_manager()
    manager.connect("script-message-received::say", lambda _, r: print(
        "webkit: " + r.get_js_value().to_string(), flush=True))
    manager.register_script_message_handler("say")
    view.connect("web-process-terminated", lambda _, why: print("ended:", why, flush=True))
    settings = view.get_settings()
    settings.set_enable_write_console_messages_to_stdout(True)
    settings.set_media_playback_requires_user_gesture(False)
    settings.set_hardware_acceleration_policy(WebKit2.HardwareAccelerationPolicy.NEVER)
    settings.set_enable_mediasource(True)
    window = Gtk.Window()
    window.set_default_size(800, 600)
    window.add(view)
    window.show_all()
    with open(file, encoding="utf-8") as html:
        view.load_html(html.read(), base)
    view.connect("notify::title", lambda v, _: v.get_title() == "end" and Gtk.main_quit())
    GLib.timeout_add_seconds(seconds, Gtk.main_quit)
    Gtk.main()


main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
