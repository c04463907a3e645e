package momostream;

import static org.apache.kafka.streams.CloseOptions.GroupMembershipOperation.LEAVE_GROUP;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.time.ZoneId;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.TopicConfig;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KafkaStreams.State;
import org.apache.kafka.streams.StreamsConfig;

/**
 * Runs the windows: until stopped, to the end of the topic as it is now ({@code --until-end true}), or to the end again
 * and again ({@code --rounds true}), each time as the new application that a line of standard input names.
 *
 * <p>Standard output is for the program that started this one: {@code counts} and a JSON object every two seconds,
 * {@code done} when all results are committed, {@code closed} when a round has been cleaned away.
 */
final class Main {

    private static final long MILLISECONDS_BETWEEN_COUNTS = 2_000;
    private static final long MILLISECONDS_BETWEEN_LOOKS = 50;
    private static final Duration CLOSING = Duration.ofSeconds(30);
    private static final String CLIENT_OPTION = "kafka.";

    private final Map<String, String> options;
    private final Admin admin;
    private MinuteWindows.Counts counts;
    private volatile KafkaStreams streams;

    private Main(Map<String, String> options, Admin admin) {
        this.options = options;
        this.admin = admin;
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, String> options = new HashMap<>();
        for (int i = 0; i + 1 < arguments.length; i += 2) {
            options.put(arguments[i].replaceFirst("^--", ""), arguments[i + 1]);
        }
        try (Admin admin = Admin.create(clientSettings(options))) {
            Main main = new Main(options, admin);
            Runtime.getRuntime().addShutdownHook(new Thread(main::close));
            if (options.containsKey("rounds")) {
                main.runRounds();
            } else {
                main.run(options.get("application-id"), options.get("output-topic"), options.containsKey("until-end"));
                main.close();
            }
        }
    }

    private void runRounds() throws Exception {
        System.out.println("ready");
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String name = lines.readLine(); name != null; name = lines.readLine()) {
            String prefix = name + "-";
            run(name, name, true);
            close();
            streams.cleanUp();
            admin.deleteTopics(admin.listTopics().names().get().stream().filter(t -> t.startsWith(prefix)).toList())
                    .all().get();
            admin.deleteConsumerGroups(List.of(name)).all().get();
            System.out.println("closed");
        }
    }

    private void run(String applicationId, String outputTopic, boolean untilEnd) throws Exception {
        String topic = options.get("topic");
        Map<TopicPartition, Long> ends = endOffsets(topic);
        createCompacted(outputTopic, ends.size());
        counts = new MinuteWindows.Counts();
        streams = new KafkaStreams(
                MinuteWindows.topology(settings(topic, outputTopic), counts), config(applicationId, ends.size()));
        streams.start();
        awaitTrue(() -> streams.state() == State.RUNNING);
        if (untilEnd) {
            awaitTrue(() -> isProcessed(applicationId, ends));
            // A stage is looked at when the one before has committed all it will write of these records.
            for (String between : MinuteWindows.BETWEEN) {
                Map<TopicPartition, Long> written = endOffsets(applicationId + "-" + between);
                awaitTrue(() -> isProcessed(applicationId, written));
            }
            tellCounts();
            System.out.println("done");
        } else {
            awaitTrue(() -> false);
        }
    }

    private interface Condition {
        boolean holds() throws Exception;
    }

    private void awaitTrue(Condition condition) throws Exception {
        long told = System.currentTimeMillis();
        while (!condition.holds()) {
            if (streams.state() == State.PENDING_ERROR || streams.state() == State.ERROR) {
                throw new IllegalStateException("Kafka Streams ended by itself; the log above says why");
            }
            if (System.currentTimeMillis() - told > MILLISECONDS_BETWEEN_COUNTS) {
                tellCounts();
                told = System.currentTimeMillis();
            }
            Thread.sleep(MILLISECONDS_BETWEEN_LOOKS);
        }
    }

    private void tellCounts() {
        // What a store drops is what came after its window was closed for good.
        double late = streams.metrics().values().stream()
                .filter(m -> m.metricName().name().equals("dropped-records-total"))
                .mapToDouble(m -> (double) m.metricValue()).sum();
        System.out.println("counts " + counts.asJson(Math.round(late)));
    }

    private synchronized void close() {
        if (streams != null) {
            // A member that stays would keep the next start waiting until its session ends.
            streams.close(CloseOptions.timeout(CLOSING).withGroupMembershipOperation(LEAVE_GROUP));
        }
    }

    private MinuteWindows.Settings settings(String topic, String outputTopic) {
        Function<String, Duration> seconds = name -> Duration.ofSeconds(Long.parseLong(options.get(name)));
        var assumed = new Transaction.Assumed(
                options.get("dummy-currency"), ZoneId.of(options.get("dummy-time-zone")), options.get("dummy-type"),
                options.get("dummy-status"));
        return new MinuteWindows.Settings(
                topic, outputTopic, seconds.apply("grace-seconds"), seconds.apply("dedup-horizon-seconds"),
                seconds.apply("future-tolerance-seconds"), assumed);
    }

    /** Where Kafka is and who we are to it: the options that begin with "kafka." are settings of its clients. */
    private static Map<String, Object> clientSettings(Map<String, String> options) {
        Map<String, Object> settings = new HashMap<>(Map.of("bootstrap.servers", options.get("bootstrap")));
        options.forEach((name, value) -> {
            if (name.startsWith(CLIENT_OPTION)) {
                settings.put(name.substring(CLIENT_OPTION.length()), value);
            }
        });
        return settings;
    }

    private Properties config(String applicationId, int partitions) {
        Properties config = new Properties();
        config.putAll(clientSettings(options));
        config.put(StreamsConfig.APPLICATION_ID_CONFIG, applicationId);
        config.put(StreamsConfig.STATE_DIR_CONFIG, options.get("state-dir"));
        config.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        config.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 500);
        config.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, Integer.valueOf(options.get("replication")));
        int threads = Math.min(partitions, Runtime.getRuntime().availableProcessors());
        config.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, threads);
        // Between the stages a record's time is what its sender gave it, whatever the cluster's own habit.
        config.put(StreamsConfig.topicPrefix(TopicConfig.MESSAGE_TIMESTAMP_TYPE_CONFIG), "CreateTime");
        config.put(StreamsConfig.producerPrefix("compression.type"), "lz4");
        return config;
    }

    /** The end of each partition, but 0 where nothing is kept: such a partition is never committed. */
    private Map<TopicPartition, Long> endOffsets(String topic) throws ExecutionException, InterruptedException {
        var described = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
        var partitions = described.partitions().stream().map(p -> new TopicPartition(topic, p.partition())).toList();
        var first = offsets(partitions, OffsetSpec.earliest());
        var next = offsets(partitions, OffsetSpec.latest());
        return partitions.stream().collect(Collectors.toMap(
                Function.identity(), p -> next.get(p).equals(first.get(p)) ? 0 : next.get(p)));
    }

    private Map<TopicPartition, Long> offsets(List<TopicPartition> partitions, OffsetSpec which)
            throws ExecutionException, InterruptedException {
        var wanted = partitions.stream().collect(Collectors.toMap(Function.identity(), partition -> which));
        return admin.listOffsets(wanted).all().get().entrySet().stream()
                .collect(Collectors.toMap(Map.Entry::getKey, entry -> entry.getValue().offset()));
    }

    private boolean isProcessed(String applicationId, Map<TopicPartition, Long> ends) throws Exception {
        var committed = admin.listConsumerGroupOffsets(applicationId).partitionsToOffsetAndMetadata().get();
        return ends.entrySet().stream().allMatch(end -> {
            var offset = committed.get(end.getKey());
            return end.getValue() == 0 || (offset != null && offset.offset() >= end.getValue());
        });
    }

    private void createCompacted(String topic, int partitions) throws ExecutionException, InterruptedException {
        NewTopic compacted = new NewTopic(topic, partitions, Short.parseShort(options.get("replication")))
                .configs(Map.of(TopicConfig.CLEANUP_POLICY_CONFIG, TopicConfig.CLEANUP_POLICY_COMPACT));
        try {
            admin.createTopics(List.of(compacted)).all().get();
        } catch (ExecutionException problem) {
            if (!(problem.getCause() instanceof TopicExistsException)) {
                throw problem;
            }
        }
    }
}
