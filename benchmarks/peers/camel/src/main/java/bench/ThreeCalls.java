package bench;

import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.camel.Exchange;
import org.apache.camel.builder.RouteBuilder;
import org.apache.camel.model.ProcessorDefinition;
import org.apache.camel.model.dataformat.JsonLibrary;

/**
 * The floor's journey as a route: make the row; three times ask the partner, move the row and log the
 * step in one committed statement; then the container acknowledges the message.
 */
public final class ThreeCalls extends RouteBuilder {
  private static final String[] CALLS = {"card", "account", "welcome"};

  @Override
  public void configure() {
    // parametersCount spares the driver a question about the statement's parameters at every execution
    ProcessorDefinition<?> route =
        from("spring-rabbitmq:default?queues=" + Peer.setting("BENCH_QUEUE")
                + "&autoDeclare=false&prefetchCount=10&concurrentConsumers=" + Peer.width())
            .convertBodyTo(String.class)
            .setVariable("data", body())
            .unmarshal().json(JsonLibrary.Jackson, Map.class)
            .setVariable("event", body())
            .setBody(e -> Map.of("id", event(e).get("id"), "data", e.getVariable("data")))
            .to("sql:classpath:begin.sql?noop=true&parametersCount=2");
    for (int number = 1; number <= CALLS.length; number++) {
      final int seq = number;
      final String name = CALLS[number - 1];
      route = route
          .setBody(ThreeCalls::request)
          .marshal().json(JsonLibrary.Jackson)
          .setHeader(Exchange.CONTENT_TYPE, constant("application/json"))
          .to(Peer.setting("BENCH_PARTNER_URL") + "/" + name
              + "?httpMethod=POST&responseTimeout=30000&skipRequestHeaders=true"
              + "&skipResponseHeaders=true&disableStreamCache=true")
          .convertBodyTo(String.class)
          .setVariable("answer", body())
          .unmarshal().json(JsonLibrary.Jackson, Map.class)
          .setBody(e -> moved(e, seq, name))
          .to("sql:classpath:move.sql?noop=true&parametersCount=7");
    }
  }

  @SuppressWarnings("unchecked")
  private static Map<String, Object> event(Exchange exchange) {
    return (Map<String, Object>) exchange.getVariable("event");
  }

  @SuppressWarnings("unchecked")
  private static Object request(Exchange exchange) {
    Map<String, Object> told = new LinkedHashMap<>();
    told.put("run", event(exchange).get("id"));
    told.putAll((Map<String, Object>) event(exchange).get("citizen"));
    return told;
  }

  private static Object moved(Exchange exchange, int seq, String name) {
    return Map.of(
        "id", event(exchange).get("id"),
        "seq", seq,
        "before", seq - 1,
        "status", seq == CALLS.length ? "done" : "running",
        "name", name,
        "answer", exchange.getVariable("answer"));
  }
}
