// Uploads talk.wav with net/http: URL=... go run clients.go
package main

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"os"
)

const token = "23e10bfa-ce68-4444-95dd-4af608f2bf47"

func post(name, kind string, body io.Reader) {
	request, _ := http.NewRequest("POST", os.Getenv("URL")+"/records?recording="+name, body)
	request.Header.Set("Authorization", "Bearer "+token)
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		panic(err)
	}
	answer.Body.Close()
}

func main() {
	wav, _ := os.ReadFile("talk.wav")
	var form bytes.Buffer
	writer := multipart.NewWriter(&form)
	writer.WriteField("title", "Речь")
	part, _ := writer.CreateFormFile("file", `/home/anna/say "hi".wav`)
	part.Write(wav)
	writer.Close()
	post("go-form", writer.FormDataContentType(), &form)
	post("go-raw", "", bytes.NewReader(wav))
	post("go-raw-pieces", "", io.MultiReader(bytes.NewReader(wav)))
}
