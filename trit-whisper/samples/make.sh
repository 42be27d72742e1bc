#!/usr/bin/env bash
# Synthesises the sample utterances. Needs espeak-ng and sox.
set -euo pipefail
cd "$(dirname "$0")"

# say NAME VOICE SPEED "word word …"
say() {
    local folder words=() index=0
    folder=$(mktemp -d)
    for word in $4; do
        espeak-ng -v "$2" -s "$3" -w "$folder/word.wav" "$word"
        sox "$folder/word.wav" -r 16000 -c 1 -b 16 "$folder/$index.wav" norm -3 pad 0.15 0.15
        words+=("$folder/$index.wav")
        index=$((index + 1))
    done
    sox -D "${words[@]}" "$1.flac"
    rm -r "$folder"
}

: > transcripts.txt
while read -r name voice speed words; do
    say "$name" "$voice" "$speed" "$words"
    printf '%s.flac\t%s\n' "$name" "$words" >> transcripts.txt
done <<'LIST'
seven-right-up en-us+m3 140 seven right up
phone-number en-us+f2 140 two five nine zero one
go-left-stop en-gb+m1 140 go left stop
yes-no en-gb+f1 130 yes no on off
happy-house en-us+m7 130 happy house dog tree
LIST
