import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

/** Posts two bodies as Java's HttpClient does by default: its first request asks for an upgrade to h2c. */
public class HttpClientCalls {
    static HttpClient client = HttpClient.newHttpClient();

    static void post(String url, String type, byte[] body) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url))
            .header("Content-Type", type).POST(HttpRequest.BodyPublishers.ofByteArray(body)).build();
        HttpResponse<String> response = client.send(request, HttpResponse.BodyHandlers.ofString());
        System.out.println(response.statusCode() + " " + response.body());
    }

    public static void main(String[] arguments) throws Exception {
        post(arguments[0] + "/train", "application/json", "{\"promote\": \"never\"}".getBytes());
        post(arguments[0] + "/predict", "application/octet-stream", new byte[784 * 300]);
    }
}
