// Uploads talk.wav with axios, form-data and fetch: npm install axios form-data; URL=... node clients.mjs
import axios from "axios";
import FormDataPackage from "form-data";
import { createReadStream, readFileSync } from "node:fs";

const user = "1234567890", token = "23e10bfa-ce68-4444-95dd-4af608f2bf47";
const url = name => `${process.env.URL}/records?recording=${name}`;
const bearer = { Authorization: `Bearer ${token}` };
const wav = readFileSync("talk.wav");

const named = new FormData();
named.append("user_id", user);
named.append("token", token);
named.append("title", "Café — Речь");
named.append("file", new Blob([wav], { type: "audio/wav" }), "talk.wav");
await axios.post(url("axios-form"), named);

const unnamed = new FormData();
unnamed.append("file", new Blob([wav]));
unnamed.append("user_id", user);
await axios.post(url("axios-blob-first"), unnamed, { headers: bearer });

const streamed = new FormDataPackage();
streamed.append("token", token);
streamed.append("user_id", user);
streamed.append("file", createReadStream("my call 1.wav"));
await axios.post(url("axios-form-data-package"), streamed);

await axios.post(url("axios-raw-buffer"), wav, { headers: bearer });
await axios.post(url("axios-raw-stream"), createReadStream("talk.wav"), { headers: bearer });

const fetched = new FormData();
fetched.append("title", "undefined");
fetched.append("file", new File([wav], 'say "hi".wav', { type: "audio/wav" }));
fetched.append("token", token);
await fetch(url("fetch-form"), { method: "POST", body: fetched, headers: bearer });
await fetch(url("fetch-raw-blob"), { method: "POST", body: new Blob([wav]), headers: bearer });
await fetch(url("fetch-raw-stream"), { method: "POST", body: new Blob([wav]).stream(), duplex: "half", headers: bearer });
await fetch(url("fetch-data-url"), { method: "POST", body: `data:audio/wav;base64,${wav.toString("base64")}`, headers: bearer });
await fetch(url("fetch-json"), { method: "POST", body: JSON.stringify({ file: wav.toString("base64") }), headers: { ...bearer, "Content-Type": "application/json" } });
