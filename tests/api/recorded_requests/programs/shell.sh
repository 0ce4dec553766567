# Uploads talk.wav with curl and wget: URL=... bash shell.sh
u() { echo "$URL/records?recording=$1"; }
b="Authorization: Bearer 23e10bfa-ce68-4444-95dd-4af608f2bf47"
f="-F user_id=1234567890 -F token=23e10bfa-ce68-4444-95dd-4af608f2bf47"
curl -sS $(u curl-form) $f -F title=Standup -F "file=@Запись 1.wav"
curl -sS $(u curl-form-stdin) -H "$b" -F file=@- < talk.wav
curl -sS $(u curl-form-file-first) -F file=@talk.wav $f
curl -sS $(u curl-form-text-instead-of-file) -H "$b" -F file=talk.wav
curl -sS $(u curl-data-binary) -H "$b" --data-binary @talk.wav
curl -sS $(u curl-data-binary-form) --data "user_id=1234567890&token=23e10bfa-ce68-4444-95dd-4af608f2bf47&file=talk.wav"
curl -sS $(u curl-upload-file) -H "$b" -X POST -T talk.wav
curl -sS $(u curl-upload-stdin) -H "$b" -X POST -T - < talk.wav
gzip -c talk.wav | curl -sS $(u curl-gzip) -H "$b" -H 'Content-Type: audio/wav' -H 'Content-Encoding: gzip' --data-binary @-
gzip -c talk.wav | curl -sS $(u curl-gzip-undeclared) -H "$b" -H 'Content-Type: audio/wav' --data-binary @-
curl -sS $(u curl-no-file) -H "$b" -F 'file=;filename=;type=application/octet-stream'
curl -sS $(u curl-form-without-token) -F user_id=1234567890 -F file=@talk.wav
wget -qO- $(u wget-post-file) --header="$b" --post-file=talk.wav
wget -qO- $(u wget-body-file) --header="$b" --method=POST --body-file=talk.wav
