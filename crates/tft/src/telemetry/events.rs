//! TensorBoard's events, as protocol buffers: scalars, histograms and images with a name, a step and a wall time.
//!
//! Source: TensorFlow, `event.proto` and `summary.proto`; only the fields that are written are here.

/// What an event says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Scalar(f32),
    /// Numbers that are counted into buckets.
    Histogram(&'a [f32]),
    /// A PNG file with its height and width.
    Image(&'a [u8], [u32; 2]),
}

/// A message under construction.
#[derive(Debug, Default)]
struct Message {
    bytes: Vec<u8>,
}

impl Message {
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }
    fn whole(mut self, field: u64, number: u64) -> Self {
        self.varint(field << 3);
        self.varint(number);
        self
    }
    fn double(mut self, field: u64, number: f64) -> Self {
        self.varint(field << 3 | 1);
        self.bytes.extend(number.to_le_bytes());
        self
    }
    fn float(mut self, field: u64, number: f32) -> Self {
        self.varint(field << 3 | 5);
        self.bytes.extend(number.to_le_bytes());
        self
    }
    fn part(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.bytes.extend(bytes);
        self
    }
    fn doubles(self, field: u64, numbers: &[f64]) -> Self {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.part(field, &bytes)
    }
}

/// The first event of a file.
pub(super) fn version(seconds: f64) -> Vec<u8> {
    Message::default().double(1, seconds).part(3, b"brain.Event:2").bytes
}

/// An event; `seconds`: wall time since 1970.
pub(super) fn event(tag: &str, value: &Value<'_>, step: u64, seconds: f64) -> Vec<u8> {
    let named = Message::default().part(1, tag.as_bytes());
    let named = match value {
        Value::Scalar(number) => named.float(2, *number),
        Value::Histogram(numbers) => named.part(5, &histogram(numbers)),
        Value::Image(png, [height, width]) => {
            let image = Message::default()
                .whole(1, u64::from(*height))
                .whole(2, u64::from(*width));
            named.part(4, &image.whole(3, 3).part(4, png).bytes)
        }
    };
    let summary = Message::default().part(1, &named.bytes);
    Message::default()
        .double(1, seconds)
        .whole(2, step)
        .part(5, &summary.bytes)
        .bytes
}

/// Buckets of one width between the smallest and the largest finite number.
fn histogram(numbers: &[f32]) -> Vec<u8> {
    const BUCKETS: usize = 30;
    let finite = || {
        numbers
            .iter()
            .filter(|number| number.is_finite())
            .map(|number| f64::from(*number))
    };
    let count = finite().count();
    if count == 0 {
        return Message::default().doubles(6, &[0.0]).doubles(7, &[0.0]).bytes;
    }
    let (least, most) = finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), number| {
        (least.min(number), most.max(number))
    });
    let width = ((most - least) / BUCKETS as f64).max(f64::MIN_POSITIVE);
    let mut counts = vec![0.0; BUCKETS];
    for number in finite() {
        let at = (((number - least) / width) as usize).min(BUCKETS - 1);
        if let Some(count) = counts.get_mut(at) {
            *count += 1.0;
        }
    }
    let limits: Vec<f64> = (1..=BUCKETS).map(|at| least + width * at as f64).collect();
    Message::default()
        .double(1, least)
        .double(2, most)
        .double(3, count as f64)
        .double(4, finite().sum())
        .double(5, finite().map(|number| number * number).sum())
        .doubles(6, &limits)
        .doubles(7, &counts)
        .bytes
}
