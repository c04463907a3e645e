package momostream;

import java.math.BigDecimal;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/** What a transaction must be to count. The names are those of the pipeline's quarantine, in its order. */
final class RowRules {

    private static final Set<String> TYPES = Set.of(
            "adjustment", "billpay", "deposit", "disbursement", "inttransfer", "merchantpay", "reversal", "transfer",
            "withdrawal");
    /** ISO 4217 minor units where they are not 2. */
    private static final Set<String> NO_MINOR_UNIT = Set.of(
            "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF",
            "XOF", "XPF");
    private static final Set<String> THREE_DECIMALS = Set.of("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND");
    private static final Pattern CURRENCY = Pattern.compile("[A-Z]{3}");
    private static final Pattern MSISDN = Pattern.compile("[0-9]{6,15}");
    private static final int LONGEST_TEXT = 256;

    private interface Condition {
        boolean isBrokenBy(Transaction transaction, Instant latest);
    }

    private record Rule(String name, Condition condition) {}

    private static final List<Rule> RULES = List.of(
            new Rule("missing_reference", (t, latest) -> isMissing(t.reference())),
            new Rule("missing_status", (t, latest) -> isMissing(t.status())),
            new Rule("unknown_type", (t, latest) -> t.type() == null || !TYPES.contains(t.type())),
            new Rule("bad_amount", (t, latest) -> t.amount() == null),
            new Rule("zero_amount", (t, latest) -> t.amount().signum() == 0),
            new Rule("bad_currency", (t, latest) -> t.currency() == null || !CURRENCY.matcher(t.currency()).matches()),
            new Rule("too_many_decimals", (t, latest) -> decimals(t.amount()) > minorUnits(t.currency())),
            new Rule("bad_fee", (t, latest) -> t.fee() == null),
            new Rule("missing_debit_party", (t, latest) -> t.debit() == null || isMissing(t.debit().text())),
            new Rule("missing_credit_party", (t, latest) -> t.credit() == null || isMissing(t.credit().text())),
            new Rule("bad_msisdn", (t, latest) -> isBadPhone(t.debit()) || isBadPhone(t.credit())),
            new Rule("same_parties", (t, latest) -> t.debit().text().equals(t.credit().text())),
            new Rule("bad_event_time", (t, latest) -> t.eventTime() == null || t.eventTime().isBefore(Instant.EPOCH)),
            new Rule("future_event_time", (t, latest) -> t.eventTime().truncatedTo(ChronoUnit.MICROS).isAfter(latest)),
            new Rule(
                    "reversal_without_original",
                    (t, latest) -> t.type().equals("reversal") && isMissing(t.originalReference())));

    private RowRules() {}

    /** Throws {@link Refused} with the first rule that the transaction breaks. */
    static void check(Transaction transaction, Instant arrival, Duration futureTolerance) throws Refused {
        Instant latest = arrival.plus(futureTolerance);
        for (Rule rule : RULES) {
            if (rule.condition().isBrokenBy(transaction, latest)) {
                throw new Refused(rule.name());
            }
        }
    }

    private static boolean isMissing(String text) {
        return text == null || text.isEmpty() || text.codePointCount(0, text.length()) > LONGEST_TEXT;
    }

    private static int decimals(BigDecimal amount) {
        return amount.stripTrailingZeros().scale();
    }

    private static int minorUnits(String currency) {
        return NO_MINOR_UNIT.contains(currency) ? 0 : THREE_DECIMALS.contains(currency) ? 3 : 2;
    }

    private static boolean isBadPhone(Transaction.Party party) {
        return party.msisdn() != null && !MSISDN.matcher(party.msisdn()).matches();
    }

    /** A record that does not count; the message is the rule it breaks. */
    static final class Refused extends Exception {

        private static final long serialVersionUID = 1L;

        Refused(String rule) {
            // Without a stack trace: refusing is everyday work, and a trace costs more than a record.
            super(rule, null, false, false);
        }
    }
}
