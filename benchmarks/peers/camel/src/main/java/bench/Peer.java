package bench;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.util.concurrent.Executors;
import org.apache.camel.main.Main;
import org.springframework.amqp.rabbit.connection.CachingConnectionFactory;

/**
 * Plain camel-main, tuned: a thread per consumer for the broker's client, which would otherwise serve
 * all of them with two per core; one database connection per consumer, 32 at most; an HTTP pool as
 * wide as the consumers. It runs until it is killed.
 */
public final class Peer {
  private Peer() {}

  static String setting(String name) {
    String value = System.getenv(name);
    if (value == null) {
      throw new IllegalStateException(name + " is not set");
    }
    return value;
  }

  static int width() {
    return Integer.parseInt(setting("BENCH_WIDTH"));
  }

  public static void main(String[] arguments) throws Exception {
    HikariConfig database = new HikariConfig();
    database.setJdbcUrl(setting("BENCH_JDBC_URL"));
    database.setUsername(setting("BENCH_DATABASE_USER"));
    database.setPassword(setting("BENCH_DATABASE_PASSWORD"));
    database.setMaximumPoolSize(Math.min(32, width()));

    CachingConnectionFactory broker =
        new CachingConnectionFactory("127.0.0.1", Integer.parseInt(setting("BENCH_BROKER_PORT")));
    broker.setExecutor(Executors.newFixedThreadPool(width()));

    Main main = new Main();
    String pool = String.valueOf(Math.max(20, width()));
    main.addInitialProperty("camel.component.http.connectionsPerRoute", pool);
    main.addInitialProperty("camel.component.http.maxTotalConnections", pool);
    main.bind("dataSource", new HikariDataSource(database));
    main.bind("connectionFactory", broker);
    main.configure().withExchangeFactory("pooled");
    main.configure().addRoutesBuilder(new ThreeCalls());
    main.run();
  }
}
