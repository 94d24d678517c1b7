//! Values that are known from elsewhere.

use arrow::array::Float32Array;
use arrow::datatypes::TimeUnit;

use super::*;

const MINUTE: i64 = 60_000_000;

fn minutes(minutes: i64) -> Duration {
    span(minutes * MINUTE)
}

fn one_thread() -> NonZeroUsize {
    NonZeroUsize::MIN
}

/// Numbers at minutes: `minute:number`, a dash for NULL.
fn rows_of(text: &str) -> (Vec<i64>, ArrayRef) {
    let pairs = || text.split_whitespace().map(|pair| pair.split_once(':').unwrap());
    let times = pairs().map(|(time, _)| time.parse::<i64>().unwrap() * MINUTE).collect();
    let numbers: Float64Array = pairs().map(|(_, number)| number.parse::<f64>().ok()).collect();
    (times, Arc::new(numbers))
}

fn features(computations: &[Computation], times: &[i64], columns: &[ArrayRef], observed_until: i64) -> Vec<ArrayRef> {
    let all = 0..times.len();
    let rows = OrderedRows {
        times,
        columns,
        segments: &[Segment {
            rows: all.clone(),
            asked: all,
        }],
        observed_until,
    };
    compute_features(computations, &rows, one_thread()).unwrap()
}

fn texts(array: &ArrayRef) -> String {
    let text = |row| match array.is_null(row) {
        true => "-".to_owned(),
        false => array_value_to_string(array, row).unwrap(),
    };
    (0..array.len()).map(text).collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn check(computation: Computation, rows: &str, wanted: &str) {
    check_until(computation, rows, i64::MAX, wanted);
}

#[track_caller]
fn check_until(computation: Computation, rows: &str, observed_until: i64, wanted: &str) {
    let (times, numbers) = rows_of(rows);
    let found = features(&[computation], &times, &[numbers], observed_until);
    assert_eq!(texts(&found[0]), wanted);
}

fn window(aggregate: Aggregate, width: i64) -> Computation {
    Computation::Window {
        of: 0,
        window: minutes(width),
        aggregate,
    }
}

fn lead(aggregate: Aggregate, width: i64) -> Computation {
    Computation::Lead {
        of: 0,
        lead: minutes(width),
        aggregate,
    }
}

#[test]
fn a_window_is_of_time_and_holds_all_rows_of_a_time() {
    let rows = "0:1 5:2 5:6 10:- 65:4 70:- 200:-";
    check(window(Aggregate::Mean, 60), rows, "1.0 3.0 3.0 3.0 4.0 4.0 -");
    check(window(Aggregate::Sum, 60), rows, "1.0 9.0 9.0 9.0 4.0 4.0 -");
    check(window(Aggregate::Count, 60), rows, "1 3 3 3 1 1 0");
    check(window(Aggregate::Nunique, 100), rows, "1 3 3 3 4 4 0");
    check(window(Aggregate::Min, 60), rows, "1.0 1.0 1.0 1.0 4.0 4.0 -");
    check(window(Aggregate::Max, 60), rows, "1.0 6.0 6.0 6.0 4.0 4.0 -");
    check(window(Aggregate::First, 60), rows, "1.0 1.0 1.0 1.0 4.0 4.0 -");
    check(window(Aggregate::Last, 60), rows, "1.0 6.0 6.0 6.0 4.0 4.0 -");
}

#[test]
fn spread_is_that_of_a_sample_and_needs_two_values() {
    let rows = "0:2 1:4 2:4 3:4 4:5 5:5 6:7 7:9";
    check(
        window(Aggregate::Var, 3),
        rows,
        "- 2.0 1.3333333333333333 0.0 0.3333333333333333 0.3333333333333333 1.3333333333333333 4.0",
    );
    check(window(Aggregate::Std, 2), "0:1 1:3 2:-", "- 1.4142135623730951 -");
}

#[test]
fn quantiles_lie_between_values() {
    let rows = "0:10 1:20 2:40 3:30 4:-";
    check(window(Aggregate::Median, 100), rows, "10.0 15.0 20.0 25.0 25.0");
    check(window(Aggregate::Quantile(0.9), 100), rows, "10.0 19.0 36.0 37.0 37.0");
    check(window(Aggregate::Quantile(1.0), 2), rows, "10.0 20.0 40.0 40.0 30.0");
}

#[test]
fn a_sum_forgets_what_left_the_window() {
    check(
        window(Aggregate::Sum, 2),
        "0:1e300 1:0.1 2:0.2 3:-1e300 4:0.3",
        "1e300 1e300 0.30000000000000004 -1e300 -1e300",
    );
    check(window(Aggregate::Sum, 3), "0:1e100 1:1 2:-1e100", "1e100 1e100 1.0");
    check(
        window(Aggregate::Std, 9),
        "0:10000000000000001 1:10000000000000002 2:10000000000000004",
        "- 1.4142135623730951 2.0",
    );
    check(window(Aggregate::Mean, 2), "0:1e308 1:1.5e308", "1e308 1.25e308");
    check(
        window(Aggregate::Sum, 2),
        "0:1e308 1:1.5e308 2:-inf 3:inf 4:1",
        "1e308 inf -inf - inf",
    );
}

#[test]
fn a_slope_is_per_hour() {
    check(
        window(Aggregate::Slope, 60),
        "0:1 15:1.5 30:2 45:- 50:-",
        "- 2.0 2.0 2.0 2.0",
    );
    check(window(Aggregate::Slope, 60), "0:1 0:5 30:3", "- - 0.0");
}

#[test]
fn half_a_weight_per_half_life() {
    let ewm = Aggregate::Ewm(minutes(10));
    check(
        window(ewm, 60),
        "0:3 10:6 20:0 30:- 200:7",
        "3.0 5.0 2.142857142857143 2.142857142857143 7.0",
    );
    // Of what is older than 64 half-lives nothing is left.
    check(window(ewm, 10_000), "0:3 639:- 640:-", "3.0 3.0 -");
}

#[test]
fn a_lag_is_the_last_value_then_and_not_too_old() {
    let lag = Computation::Lag {
        of: 0,
        lag: minutes(60),
        max_age: minutes(30),
    };
    check(lag, "0:1 5:2 60:3 65:- 70:4 90:5 95:6", "- - 1.0 2.0 2.0 2.0 -");
}

#[test]
fn a_label_looks_ahead_and_waits_until_its_horizon_is_over() {
    let rows = "0:1 30:2 60:3 61:9 90:4";
    check(lead(Aggregate::Max, 60), rows, "3.0 9.0 9.0 4.0 -");
    check(lead(Aggregate::Last, 60), rows, "3.0 4.0 4.0 4.0 -");
    check_until(lead(Aggregate::Max, 60), rows, 90 * MINUTE, "3.0 9.0 - - -");
    check_until(lead(Aggregate::Count, 60), rows, 120 * MINUTE, "2 3 2 - -");
}

#[test]
fn a_z_score_knows_only_what_came_before() {
    let zscore = |window| Computation::Zscore { of: 0, window };
    check(
        zscore(None),
        "0:1 1:3 2:4 2:2 3:2",
        "- - 1.414213562373095 0.0 -0.3872983346207417",
    );
    check(zscore(Some(minutes(2))), "0:1 1:1 2:1 3:5 4:3", "- - - - -");
    check(zscore(Some(minutes(3))), "0:1 1:3 2:4 5:3", "- - 1.414213562373095 -");
}

#[test]
fn a_fill_is_the_last_known_value_or_a_constant() {
    let last_known = Filling::LastKnown { max_age: minutes(10) };
    let fill = |with| Computation::Fill { of: 0, with };
    check(fill(last_known), "0:1 5:- 10:- 11:2 11:3 12:-", "1.0 1.0 - 2.0 3.0 3.0");
    check(fill(Filling::Number(-1.0)), "0:1 5:- 10:NaN", "1.0 -1.0 -1.0");
    let texts_with_gap: ArrayRef = Arc::new(StringArray::from(vec![Some("x"), None]));
    let found = features(
        &[fill(Filling::Text("none".to_owned()))],
        &[0, 1],
        &[texts_with_gap],
        i64::MAX,
    );
    assert_eq!(texts(&found[0]), "x none");
}

#[test]
fn the_calendar_is_that_of_utc() {
    use CalendarPart::*;
    let parts = [Hour, Weekday, Month, IsWeekend, HourSin, HourCos, WeekdaySin, MonthCos];
    let computations = parts.map(|part| Computation::Calendar { part });
    // Sunday 2026-11-29T18:00Z, and beyond the end of the calendar.
    let found = features(&computations, &[1_795_975_200_000_000, i64::MAX], &[], i64::MAX);
    let found: Vec<String> = found.iter().map(texts).collect();
    let cosine = format!("{:?}", libm::cos(std::f64::consts::TAU * (10.0 / 12.0)));
    let sine = format!("{:?}", libm::sin(std::f64::consts::TAU * (6.0 / 7.0)));
    let wanted = [
        "18",
        "6",
        "11",
        "true",
        "-1.0",
        "-1.8369701987210297e-16",
        &sine,
        &cosine,
    ];
    assert_eq!(found, wanted.map(|value| format!("{value} -")));
}

#[test]
fn buckets_begin_at_their_edges() {
    let bucket = Computation::Bucket {
        of: Operand::Column(0),
        edges: vec![0.0, 10.0],
    };
    check(bucket, "0:-1 1:0 2:9.9 3:10 4:- 5:inf", "0 1 1 2 - 2");
}

#[test]
fn hashes_are_xxh64_and_stay_so() {
    let text: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), Some(""), None]));
    let number: ArrayRef = Arc::new(Int64Array::from(vec![1, 1, 1]));
    let hash = |of: Vec<Operand>, bits| Computation::Hash { of, bits };
    let (first, second) = (Operand::Column(0), Operand::Column(1));
    let computations = [
        hash(vec![first], 31),
        hash(vec![first], 4),
        hash(vec![second], 8),
        hash(vec![first, second], 8),
    ];
    let found = features(&computations, &[0, 1, 2], &[text, number], i64::MAX);
    // XXH64 of "a" is d24ec4f1a98c6e5b, that of nothing is ef46db3751d8e999.
    assert_eq!(texts(&found[0]), format!("{} {} -", 0x298c_6e5b, 0x51d8_e999));
    assert_eq!(texts(&found[1]), "11 9 -");
    assert_eq!(texts(&found[2]), "149 149 149");
    assert_eq!(texts(&found[3]), "251 195 -");
}

#[test]
fn computations_build_on_earlier_ones() {
    let lag = Computation::Lag {
        of: 0,
        lag: minutes(1),
        max_age: minutes(1),
    };
    let (left, right) = (Operand::Column(0), Operand::Computed(0));
    let computations = [
        lag,
        Computation::Difference { left, right },
        Computation::Ratio { left, right },
        Computation::Interaction { left, right },
    ];
    let (times, numbers) = rows_of("0:0 1:6 2:9 4:1");
    let found: Vec<String> = features(&computations, &times, &[numbers], i64::MAX)
        .iter()
        .map(texts)
        .collect();
    assert_eq!(found, ["- 0.0 6.0 -", "- 6.0 3.0 -", "- - 1.5 -", "- 0.0 54.0 -"]);
}

#[test]
fn extremes_and_ends_keep_the_type() {
    let columns: [ArrayRef; 4] = [
        Arc::new(Int64Array::from(vec![i64::MAX - 1, i64::MAX])),
        Arc::new(Float32Array::from(vec![0.1, 0.2])),
        Arc::new(TimestampMicrosecondArray::from(vec![5, 4]).with_timezone("UTC")),
        Arc::new(arrow::array::Date32Array::from(vec![5, 4])),
    ];
    let max = |of| Computation::Window {
        of,
        window: minutes(5),
        aggregate: Aggregate::Max,
    };
    let found = features(&[max(0), max(1), max(2), max(3)], &[0, MINUTE], &columns, i64::MAX);
    assert_eq!(found[0].as_ref(), columns[0].as_ref());
    assert_eq!(found[1].as_ref(), columns[1].as_ref());
    assert_eq!(
        found[2].data_type(),
        &DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
    );
    assert_eq!(texts(&found[3]), "1970-01-06 1970-01-06");
}

#[test]
fn what_does_not_fit_is_refused() {
    let refused = |computation: Computation| {
        let columns = [DataType::Utf8, DataType::Float64, DataType::Int32];
        types_of(&[computation], &columns).unwrap_err().to_string()
    };
    let mean = |of, window| Computation::Window {
        of,
        window,
        aggregate: Aggregate::Mean,
    };
    assert_eq!(
        refused(mean(0, minutes(1))),
        "`window` (computation 0): Utf8, wanted a number or a bool"
    );
    assert_eq!(
        refused(mean(7, minutes(1))),
        "`window` (computation 0): column 7 of 3, wanted a column that is there"
    );
    assert_eq!(
        refused(mean(1, minutes(0))),
        "`window` (computation 0): 0s, wanted a span of more than no time"
    );
    let fill = |number| Computation::Fill {
        of: 2,
        with: Filling::Number(number),
    };
    for (number, text) in [(0.5, "0.5"), (1e10, "10000000000")] {
        assert_eq!(
            refused(fill(number)),
            format!("`fill` (computation 0): {text} for Int32, wanted a value of its type")
        );
    }
    assert_eq!(
        types_of(&[fill(-1.0)], &[DataType::Utf8, DataType::Utf8, DataType::Int32]).unwrap(),
        [DataType::Int32]
    );
    let hash = Computation::Hash {
        of: vec![Operand::Computed(0)],
        bits: 3,
    };
    assert_eq!(
        refused(hash),
        "`hash` (computation 0): the result of computation 0, wanted the result of an earlier one"
    );
}

#[test]
fn rows_out_of_order_are_refused() {
    let refused = |times: &[i64], rows: std::ops::Range<usize>, asked: std::ops::Range<usize>| {
        let rows = OrderedRows {
            times,
            columns: &[],
            segments: &[Segment { rows, asked }],
            observed_until: 0,
        };
        compute_features(&[], &rows, one_thread()).unwrap_err().to_string()
    };
    assert_eq!(
        refused(&[1, 0], 0..2, 0..2),
        "features cannot be computed: the times of the entity in rows 0..2 are not ascending"
    );
    assert_eq!(
        refused(&[0], 0..2, 0..2),
        "features cannot be computed: an entity in rows 0..2 of 1"
    );
    assert_eq!(
        refused(&[0, 1], 0..1, 0..2),
        "features cannot be computed: rows 0..2 asked of an entity in rows 0..1"
    );
}

#[test]
fn reach_is_that_of_the_farthest() {
    let zscore = Computation::Zscore { of: 0, window: None };
    let both = |back, ahead| Reach { back, ahead };
    let computations = [window(Aggregate::Mean, 5), lead(Aggregate::Max, 3), zscore];
    assert_eq!(reach_of(&computations[..2]), both(Some(minutes(5)), minutes(3)));
    assert_eq!(reach_of(&computations), both(None, minutes(3)));
}
