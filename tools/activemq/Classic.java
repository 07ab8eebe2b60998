// SPDX-License-Identifier: MIT
// An ActiveMQ Classic as tools/activemq.sh wants it: on the first port as it is
// installed, on the second with a larger message limit; two logins, of which
// `reader` may not send.
import java.util.List;
import java.util.Set;
import org.apache.activemq.broker.BrokerPlugin;
import org.apache.activemq.broker.BrokerService;
import org.apache.activemq.jaas.GroupPrincipal;
import org.apache.activemq.security.AuthenticationUser;
import org.apache.activemq.security.AuthorizationEntry;
import org.apache.activemq.security.AuthorizationPlugin;
import org.apache.activemq.security.DefaultAuthorizationMap;
import org.apache.activemq.security.SimpleAuthenticationPlugin;

public class Classic {
  private static final GroupPrincipal ADMINS = new GroupPrincipal("admins");
  private static final GroupPrincipal READERS = new GroupPrincipal("readers");

  private static BrokerPlugin authorization() {
    AuthorizationEntry queues = new AuthorizationEntry();
    AuthorizationEntry topics = new AuthorizationEntry();
    queues.setQueue(">");
    topics.setTopic(">");
    for (AuthorizationEntry entry : List.of(queues, topics)) {
      entry.setReadACLs(Set.of(ADMINS, READERS));
      entry.setAdminACLs(Set.of(ADMINS, READERS)); // they come to be when used
      entry.setWriteACLs(Set.of(ADMINS));
    }
    return new AuthorizationPlugin(
        new DefaultAuthorizationMap(List.of(queues, topics)));
  }

  // PORT PORT FOLDER
  public static void main(String[] arguments) throws Exception {
    BrokerService broker = new BrokerService();
    broker.setDataDirectory(arguments[2]);
    broker.setUseJmx(false);
    broker.addConnector("ws://127.0.0.1:" + arguments[0]);
    broker.addConnector("ws://127.0.0.1:" + arguments[1]
        + "?websocket.maxTextMessageSize=16777216");
    broker.setPlugins(new BrokerPlugin[] {
      new SimpleAuthenticationPlugin(List.of(
          new AuthenticationUser("admin", "admin", "admins"),
          new AuthenticationUser("reader", "reader", "readers"))),
      authorization(),
    });
    broker.start();
    broker.waitUntilStarted();
    System.out.println("ready");
    broker.waitUntilStopped();
  }
}
