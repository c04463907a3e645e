package momostream;

import com.fasterxml.jackson.annotation.JsonFormat;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.LongAdder;
import momostream.RowRules.Refused;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.ProcessorSupplier;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowStore;

/**
 * Transactions to windows: one per minute of event time, type, currency and channel.
 *
 * <p>Three stages with a topic between them: read and refuse; of each step of a transaction's life count the first to
 * arrive; add up. A record keeps Kafka's time until it has been accepted: one dated 2999 cannot close a window.
 */
final class MinuteWindows {

    /** The topics between the stages, in order; Kafka Streams puts the application's id before them. */
    static final String[] BETWEEN = {"steps-repartition", "windows-repartition"};

    record Settings(
            String topic, String outputTopic, Duration grace, Duration dedupHorizon, Duration futureTolerance,
            Transaction.Assumed assumed) {}

    /** A step of a transaction's life, such as its completion. */
    record Step(String reference, String status) {}

    record Group(String transactionType, String currency, String channel) {}

    /** A step that counts, with its time in milliseconds since 1970. */
    record Event(long eventTime, Group group, Measures measures) {}

    record Window(String windowStart, String transactionType, String currency, String channel) {}

    /** What a window says; amounts in major units of its currency. */
    record Measures(
            long eventCount, long transactionCount, BigDecimal amount, long failedCount, BigDecimal failedAmount,
            BigDecimal feeAmount) {

        static final BigDecimal NOTHING = new BigDecimal("0.0000");
        static final Measures NONE = new Measures(0, 0, NOTHING, 0, NOTHING, NOTHING);

        static Measures of(Transaction one) {
            boolean isCompleted = one.status().equals("completed");
            boolean isFailed = one.status().equals("failed");
            return NONE.plus(new Measures(
                    1, isCompleted ? 1 : 0, isCompleted ? one.amount() : NOTHING, isFailed ? 1 : 0,
                    isFailed ? one.amount() : NOTHING, isCompleted ? one.fee() : NOTHING));
        }

        Measures plus(Measures other) {
            return new Measures(
                    eventCount + other.eventCount, transactionCount + other.transactionCount, amount.add(other.amount),
                    failedCount + other.failedCount, failedAmount.add(other.failedAmount),
                    feeAmount.add(other.feeAmount));
        }
    }

    /** Records by their fate since the start of this process, by name. */
    static final class Counts {
        private final Map<String, LongAdder> counts = new ConcurrentSkipListMap<>();

        void add(String fate) {
            counts.computeIfAbsent(fate, name -> new LongAdder()).increment();
        }

        String asJson(long late) {
            Map<String, Long> all = new TreeMap<>(Map.of("late", late));
            counts.forEach((fate, count) -> all.put(fate, count.sum()));
            return new String(json(Map.class).serializer().serialize("", all), StandardCharsets.UTF_8);
        }
    }

    private static final String SEEN = "seen";
    private static final JsonMapper MAPPER = JsonMapper.builder()
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .withConfigOverride(BigDecimal.class, c -> c.setFormat(JsonFormat.Value.forShape(JsonFormat.Shape.STRING)))
            .build();

    private MinuteWindows() {}

    static Topology topology(Settings settings, Counts counts) {
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(settings.topic(), Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
                .process(() -> new Accept(settings, counts))
                .repartition(Repartitioned.with(json(Step.class), json(Event.class)).withName("steps"))
                .process(firstOfEach(settings.dedupHorizon(), counts))
                .groupByKey(Grouped.with("windows", json(Group.class), json(Measures.class)))
                .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofMinutes(1), settings.grace()))
                .aggregate(() -> Measures.NONE, (group, one, total) -> total.plus(one), windowStore())
                .toStream()
                .map((at, total) -> KeyValue.pair(window(at.window().startTime(), at.key()), total))
                .to(settings.outputTopic(), Produced.with(json(Window.class), json(Measures.class)));
        return builder.build();
    }

    private static Window window(Instant start, Group group) {
        return new Window(start.toString(), group.transactionType(), group.currency(), group.channel());
    }

    private static Materialized<Group, Measures, WindowStore<Bytes, byte[]>> windowStore() {
        return Materialized.<Group, Measures, WindowStore<Bytes, byte[]>>as("windows")
                .withKeySerde(json(Group.class))
                .withValueSerde(json(Measures.class))
                // By event time, the retention would delete the windows of a replay of last year's file at once.
                .withLoggingEnabled(Map.of("message.timestamp.type", "LogAppendTime"));
    }

    /** The first stage: what breaks a rule is counted and goes no further. */
    private static final class Accept extends ContextualProcessor<byte[], byte[], Step, Event> {
        private final Settings settings;
        private final Counts counts;

        Accept(Settings settings, Counts counts) {
            this.settings = settings;
            this.counts = counts;
        }

        @Override
        public void process(Record<byte[], byte[]> record) {
            try {
                Transaction one = Transaction.parse(record.value(), settings.assumed());
                RowRules.check(one, Instant.ofEpochMilli(record.timestamp()), settings.futureTolerance());
                counts.add("accepted");
                Group group = new Group(one.type(), one.currency(), one.channel());
                Event event = new Event(one.eventTime().toEpochMilli(), group, Measures.of(one));
                context().forward(record.withKey(new Step(one.reference(), one.status())).withValue(event));
            } catch (Refused refused) {
                counts.add("refused." + refused.getMessage());
            }
        }
    }

    /** The second stage: a step is counted once, by the first record that tells it; here it takes its event time. */
    private static ProcessorSupplier<Step, Event, Group, Measures> firstOfEach(Duration horizon, Counts counts) {
        return new ProcessorSupplier<>() {
            @Override
            public Processor<Step, Event, Group, Measures> get() {
                return new FirstOfEach(horizon.toMillis(), counts);
            }

            @Override
            public Set<StoreBuilder<?>> stores() {
                var store = Stores.persistentWindowStore(SEEN, horizon.multipliedBy(2), horizon, false);
                return Set.of(Stores.windowStoreBuilder(store, json(Step.class), Serdes.ByteArray()));
            }
        };
    }

    /**
     * Steps are remembered in slices as long as the horizon, so that two look-ups find every repeat within it.
     *
     * <p>By the clock of this process, as the pipeline does: partitions of a backlog may be hours apart in Kafka's.
     */
    private static final class FirstOfEach extends ContextualProcessor<Step, Event, Group, Measures> {
        private static final byte[] HERE = {1};
        private final long horizon;
        private final Counts counts;
        private WindowStore<Step, byte[]> seen;

        FirstOfEach(long horizon, Counts counts) {
            this.horizon = horizon;
            this.counts = counts;
        }

        @Override
        public void init(ProcessorContext<Group, Measures> context) {
            super.init(context);
            seen = context.getStateStore(SEEN);
        }

        @Override
        public void process(Record<Step, Event> record) {
            long slice = context().currentSystemTimeMs() / horizon * horizon;
            if (seen.fetch(record.key(), slice) != null || seen.fetch(record.key(), slice - horizon) != null) {
                counts.add("repeated");
                return;
            }
            seen.put(record.key(), HERE, slice);
            Event event = record.value();
            var counted = record.withKey(event.group()).withValue(event.measures());
            context().forward(counted.withTimestamp(event.eventTime()));
        }
    }

    /** Records as JSON objects; money as text. */
    private static <T> Serde<T> json(Class<T> type) {
        var writer = MAPPER.writerFor(type);
        var reader = MAPPER.readerFor(type);
        return Serdes.serdeFrom(
                (topic, value) -> {
                    try {
                        return value == null ? null : writer.writeValueAsBytes(value);
                    } catch (IOException impossible) {
                        throw new UncheckedIOException(impossible);
                    }
                },
                (topic, bytes) -> {
                    try {
                        return bytes == null ? null : reader.readValue(bytes);
                    } catch (IOException foreign) {
                        throw new UncheckedIOException(foreign);
                    }
                });
    }
}
