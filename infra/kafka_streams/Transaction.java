package momostream;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.cfg.JsonNodeFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.POJONode;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneId;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import momostream.RowRules.Refused;

/**
 * What a record says of a transaction, in whichever of the two formats; null is what is missing or cannot be read.
 *
 * <p>Money is decimal, in major units of the currency. Nothing is judged here, but that the payload is one JSON object.
 */
record Transaction(
        String reference, String status, String type, String currency, String channel, BigDecimal amount,
        BigDecimal fee, Party debit, Party credit, Instant eventTime, String originalReference) {

    /** Who pays or is paid, as key:value; {@code msisdn} is null when the party is not a phone. */
    record Party(String text, String msisdn) {}

    /** What the dummy record does not say. */
    record Assumed(String currency, ZoneId timeZone, String type, String status) {}

    /** GSMA Mobile Money API v1.2, type Amount. */
    private static final Pattern AMOUNT = Pattern.compile("(0|([1-9][0-9]{0,17}))([.][0-9]{0,3}[0-9])?");
    private static final Pattern INSTANT =
            Pattern.compile("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d([.]\\d{1,9})?(Z|[+-]\\d\\d:\\d\\d)");
    private static final Pattern WALL_CLOCK = Pattern.compile("\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d");
    private static final int FEE_DIGITS = 18;
    private static final int LONGEST_CHANNEL = 64;

    private static final Set<String> READ = Set.of(
            "transactionReference", "originalTransactionReference", "transactionStatus", "type", "amount", "currency",
            "requestDate", "creationDate", "modificationDate", "metadata", "debitParty", "creditParty", "fees",
            "transaction_id", "sender_phone_number", "receiver_phone_number", "transaction_time", "transaction_amount");

    private static final JsonMapper MAPPER = JsonMapper.builder()
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
            .disable(JsonNodeFeature.STRIP_TRAILING_BIGDECIMAL_ZEROES)
            .build();

    /** Reads a payload; throws {@link Refused} when it is not one JSON object in UTF-8. */
    static Transaction parse(byte[] payload, Assumed assumed) throws Refused {
        Map<String, JsonNode> fields = fields(text(payload));
        boolean isGsma = text(fields.get("transactionReference")) != null;
        boolean isDummy = !isGsma && text(fields.get("transaction_id")) != null;
        return isDummy ? ofDummy(fields, assumed) : ofGsma(fields);
    }

    private static Transaction ofGsma(Map<String, JsonNode> fields) {
        String status = text(fields.get("transactionStatus"));
        String currency = text(fields.get("currency"));
        JsonNode amount = fields.get("amount");
        return new Transaction(
                reference(fields.get("transactionReference")), status == null ? null : status.toLowerCase(Locale.ROOT),
                text(fields.get("type")), currency, channel(fields.get("metadata")),
                // Of a JSON number we cannot know what its sender has rounded.
                amount != null && amount.isTextual() ? amount(amount.textValue()) : null,
                fee(fields.get("fees"), currency), party(fields.get("debitParty")), party(fields.get("creditParty")),
                instant(newestDate(fields)), text(fields.get("originalTransactionReference")));
    }

    private static Transaction ofDummy(Map<String, JsonNode> fields, Assumed assumed) {
        JsonNode amount = fields.get("transaction_amount");
        return new Transaction(
                reference(fields.get("transaction_id")), assumed.status().toLowerCase(Locale.ROOT), assumed.type(),
                assumed.currency(), channel(fields.get("metadata")),
                amount != null && amount.isPojo() ? amount(amount.asText()) : null,
                fee(fields.get("fees"), assumed.currency()), phone(text(fields.get("sender_phone_number"))),
                phone(text(fields.get("receiver_phone_number"))),
                wallClock(text(fields.get("transaction_time")), assumed.timeZone()),
                text(fields.get("originalTransactionReference")));
    }

    private static String text(byte[] payload) throws Refused {
        if (payload == null) {
            throw new Refused("null_value");
        }
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(payload)).toString();
        } catch (CharacterCodingException invalid) {
            throw new Refused("bad_utf8");
        }
    }

    /** The fields we read. A number is kept as it is written, for any number type would lose its form. */
    private static Map<String, JsonNode> fields(String json) throws Refused {
        Map<String, JsonNode> fields = new HashMap<>();
        try (JsonParser parser = MAPPER.createParser(json)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw new Refused("not_one_json_object");
            }
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String name = parser.currentName();
                JsonToken value = parser.nextToken();
                if (!READ.contains(name)) {
                    parser.skipChildren();
                } else if (value.isNumeric()) {
                    fields.put(name, new POJONode(parser.getText()));
                } else {
                    fields.put(name, parser.readValueAsTree());
                }
            }
            if (parser.nextToken() != null) {
                throw new Refused("not_one_json_object");
            }
        } catch (IOException malformed) {
            throw new Refused("not_one_json_object");
        }
        return fields;
    }

    /** The value as text, whatever its type; null when it is missing or null. */
    private static String text(JsonNode value) {
        if (value == null || value.isNull()) {
            return null;
        }
        return value.isTextual() || value.isPojo() ? value.asText() : value.toString();
    }

    /** The reference; null when it is no text, or one with half a character, for two of those could become one. */
    private static String reference(JsonNode value) {
        return value != null && value.isTextual() ? whole(value.textValue()) : null;
    }

    private static String whole(String text) {
        boolean hasHalf = text != null && text.codePoints().anyMatch(c -> c >= 0xD800 && c <= 0xDFFF);
        return hasHalf ? null : text;
    }

    private static BigDecimal amount(String written) {
        return AMOUNT.matcher(written).matches() ? new BigDecimal(written) : null;
    }

    /** Sum of the fees in the transaction's currency; 0 when none is stated, null when one is not an amount. */
    private static BigDecimal fee(JsonNode fees, String currency) {
        if (fees == null || fees.isNull()) {
            return BigDecimal.ZERO;
        }
        BigDecimal total = BigDecimal.ZERO;
        for (JsonNode fee : fees) {
            JsonNode feeAmount = fee.get("feeAmount");
            // A number with a point is rounded by other readers, so nobody knows what its sender meant.
            String written = feeAmount != null && feeAmount.isFloatingPointNumber() ? null : text(feeAmount);
            String feeCurrency = text(fee.get("feeCurrency"));
            BigDecimal amount = written == null ? null : amount(written);
            if (amount == null || feeCurrency == null) {
                return null;
            }
            total = feeCurrency.equals(currency) ? total.add(amount) : total;
        }
        return fees.isArray() && total.precision() - total.scale() <= FEE_DIGITS ? total : null;
    }

    /** The party's first identifier; null when it has none, or one that is not of key and value. */
    private static Party party(JsonNode identifiers) {
        if (identifiers == null || !identifiers.isArray() || identifiers.isEmpty()) {
            return null;
        }
        for (JsonNode identifier : identifiers) {
            if (!identifier.isObject() && !identifier.isNull()) {
                return null;
            }
        }
        String key = text(identifiers.get(0).get("key"));
        JsonNode said = identifiers.get(0).get("value");
        // As for a fee, a number with a point is no value.
        String value = said != null && said.isFloatingPointNumber() ? null : text(said);
        if ("msisdn".equals(key)) {
            return phone(value);
        }
        return isEmpty(key) || isEmpty(whole(value)) ? null : new Party(key + ":" + value, null);
    }

    /** A phone number as GSMA allows it, +256 777 123456, as digits. */
    private static Party phone(String number) {
        String digits = number == null ? "" : number.replace(" ", "").replaceFirst("^\\+", "");
        return digits.isEmpty() ? null : new Party("msisdn:" + digits, digits);
    }

    private static boolean isEmpty(String text) {
        return text == null || text.isEmpty();
    }

    /** The channel in GSMA's list of key and value, or in the plain object that some providers send; else unknown. */
    private static String channel(JsonNode metadata) {
        String channel = text(metadata == null ? null : metadata.isArray() ? listed(metadata) : metadata.get("channel"));
        boolean isKnown = !isEmpty(channel) && channel.codePointCount(0, channel.length()) <= LONGEST_CHANNEL;
        return isKnown ? channel.toLowerCase(Locale.ROOT) : "unknown";
    }

    /** The value of the first channel in a list of key and value; null when it has none, or is no such list. */
    private static JsonNode listed(JsonNode metadata) {
        JsonNode channel = null;
        for (JsonNode entry : metadata) {
            if (!entry.isObject() && !entry.isNull()) {
                return null;
            }
            channel = channel == null && "channel".equals(text(entry.get("key"))) ? entry.get("value") : channel;
        }
        return channel;
    }

    private static String newestDate(Map<String, JsonNode> fields) {
        for (String name : new String[] {"modificationDate", "creationDate", "requestDate"}) {
            String date = text(fields.get(name));
            if (date != null) {
                return date;
            }
        }
        return null;
    }

    /** RFC 3339 with its zone; null otherwise, for a wall clock without one is nobody's time. */
    private static Instant instant(String written) {
        try {
            boolean hasZone = written != null && INSTANT.matcher(written).matches();
            return hasZone ? OffsetDateTime.parse(written).toInstant() : null;
        } catch (DateTimeException noSuchTime) {
            return null;
        }
    }

    private static Instant wallClock(String written, ZoneId timeZone) {
        try {
            boolean isWallClock = written != null && WALL_CLOCK.matcher(written).matches();
            return isWallClock ? LocalDateTime.parse(written.replace(' ', 'T')).atZone(timeZone).toInstant() : null;
        } catch (DateTimeException noSuchTime) {
            return null;
        }
    }
}
