import java.io.*;
import java.net.*;
import java.net.http.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import okhttp3.*;
import org.apache.http.client.methods.HttpPost;
import org.apache.http.entity.ContentType;
import org.apache.http.entity.FileEntity;
import org.apache.http.entity.mime.HttpMultipartMode;
import org.apache.http.entity.mime.MultipartEntityBuilder;
import org.apache.http.impl.client.*;

/** Uploads talk.wav with Apache HttpClient 4.5 and 5.4, OkHttp 4.12 and the JDK: needs their jars, and URL in the environment. */
public class Clients {
    static final String USER = "1234567890", TOKEN = "23e10bfa-ce68-4444-95dd-4af608f2bf47";
    static final File WAV = new File("talk.wav");
    static String url(String name) { return System.getenv("URL") + "/records?recording=" + name; }

    static void apache4(String name, org.apache.http.HttpEntity entity, boolean bearer) throws Exception {
        try (CloseableHttpClient client = HttpClients.createDefault()) {
            HttpPost post = new HttpPost(url(name));
            post.setEntity(entity);
            if (bearer) post.setHeader("Authorization", "Bearer " + TOKEN);
            client.execute(post).close();
        }
    }
    static void apache5(String name, org.apache.hc.core5.http.HttpEntity entity) throws Exception {
        try (var client = org.apache.hc.client5.http.impl.classic.HttpClients.createDefault()) {
            var post = new org.apache.hc.client5.http.classic.methods.HttpPost(url(name));
            post.setEntity(entity);
            client.execute(post, response -> null);
        }
    }
    static void okhttp(String name, RequestBody body) throws Exception {
        new OkHttpClient().newCall(new Request.Builder().url(url(name))
            .header("Authorization", "Bearer " + TOKEN).post(body).build()).execute().close();
    }
    /** As Android's widely copied sample of an upload with HttpURLConnection does it. */
    static void android(String name) throws Exception {
        String end = "\r\n", hyphens = "--", boundary = "*****";
        HttpURLConnection c = (HttpURLConnection) new URL(url(name)).openConnection();
        c.setDoInput(true); c.setDoOutput(true); c.setUseCaches(false); c.setRequestMethod("POST");
        c.setRequestProperty("Connection", "Keep-Alive");
        c.setRequestProperty("ENCTYPE", "multipart/form-data");
        c.setRequestProperty("Content-Type", "multipart/form-data;boundary=" + boundary);
        c.setRequestProperty("Authorization", "Bearer " + TOKEN);
        DataOutputStream out = new DataOutputStream(c.getOutputStream());
        out.writeBytes(hyphens + boundary + end);
        out.writeBytes("Content-Disposition: form-data; name=\"file\";filename=\"/storage/emulated/0/talk.wav\"" + end);
        out.writeBytes(end);
        out.write(Files.readAllBytes(WAV.toPath()));
        out.writeBytes(end);
        out.writeBytes(hyphens + boundary + hyphens + end);
        out.flush(); out.close();
        c.getResponseCode();
    }
    public static void main(String[] args) throws Exception {
        apache4("apache4-form", MultipartEntityBuilder.create().addTextBody("user_id", USER).addTextBody("token", TOKEN)
            .addTextBody("title", "Caf\u00e9").addBinaryBody("file", WAV).build(), false);
        apache4("apache4-browser-mode", MultipartEntityBuilder.create().setMode(HttpMultipartMode.BROWSER_COMPATIBLE)
            .setCharset(java.nio.charset.Charset.forName("windows-1251"))
            .addBinaryBody("file", WAV, ContentType.create("audio/wav"), "talk.wav")
            .addTextBody("title", "\u0420\u0435\u0447\u044c", ContentType.create("text/plain", "windows-1251")).build(), true);
        apache4("apache4-raw", new FileEntity(WAV), true);
        apache5("apache5-form", org.apache.hc.client5.http.entity.mime.MultipartEntityBuilder.create()
            .setMode(org.apache.hc.client5.http.entity.mime.HttpMultipartMode.EXTENDED)
            .addTextBody("user_id", USER).addTextBody("token", TOKEN)
            .addBinaryBody("file", WAV, org.apache.hc.core5.http.ContentType.create("audio/wav"), "\u0417\u0430\u043f\u0438\u0441\u044c 1.wav").build());
        okhttp("okhttp-form", new MultipartBody.Builder().setType(MultipartBody.FORM)
            .addFormDataPart("file", "\u0417\u0430\u043f\u0438\u0441\u044c 1.wav", RequestBody.create(WAV, MediaType.parse("audio/x-wav")))
            .addFormDataPart("user_id", USER).build());
        okhttp("okhttp-raw-without-type", RequestBody.create(WAV, null));
        android("android-sample");
        java.net.http.HttpClient.newBuilder().version(java.net.http.HttpClient.Version.HTTP_1_1).build().send(
            HttpRequest.newBuilder(URI.create(url("java11-raw"))).header("Authorization", "Bearer " + TOKEN)
                .POST(HttpRequest.BodyPublishers.ofFile(WAV.toPath())).build(), java.net.http.HttpResponse.BodyHandlers.discarding());
        System.exit(0);
    }
}
