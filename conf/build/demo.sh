# SPDX-License-Identifier: GPL-3.0-or-later
# Makes the demo film: demo.sh OUT.mkv. A minute of moving shapes, two sound tracks.
exec ffmpeg -v error -y \
    -f lavfi -i "gradients=size=1280x720:rate=24:duration=60:nb_colors=5:speed=0.02:seed=7" \
    -f lavfi -i "testsrc2=size=426x240:rate=24:duration=60" \
    -f lavfi -i "sine=frequency=220:beep_factor=4:duration=60" \
    -f lavfi -i "aevalsrc=0.15*sin(2*PI*(330+60*sin(t))*t)|0.15*sin(2*PI*262*t):s=48000:d=60" \
    -filter_complex "[0:v][1:v]overlay=x='(W-w)/2+200*sin(t)':y='(H-h)/2+60*cos(t*1.3)'[v]" \
    -map "[v]" -map 3:a -map 2:a \
    -c:v libx264 -preset veryfast -crf 22 -pix_fmt yuv420p -bf 2 \
    -force_key_frames "expr:gte(t,n_forced*2)" -sc_threshold 0 \
    -c:a aac -b:a 128k -ac 2 \
    -metadata title="A Short Demo" \
    -metadata:s:a:0 language=eng -metadata:s:a:0 title=Waves \
    -metadata:s:a:1 language=deu -metadata:s:a:1 title=Beeps \
    -f matroska "$1"
