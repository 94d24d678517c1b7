//! Files of records, as TensorBoard reads them: a record is its length, a checksum of that, its bytes, a checksum of those.
//!
//! ```text
//!     u64 length │ u32 masked CRC-32C of the 8 bytes │ bytes │ u32 masked CRC-32C of the bytes        (all little-endian)
//! ```
//!
//! Source: TensorFlow, `core/lib/io/record_writer`; the checksum is Castagnoli's, rotated and moved by a constant.

/// A record's bytes with its frame.
pub(super) fn framed(bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u64).to_le_bytes();
    let mut framed = Vec::with_capacity(bytes.len() + 16);
    framed.extend(length);
    framed.extend(masked(&length).to_le_bytes());
    framed.extend(bytes);
    framed.extend(masked(bytes).to_le_bytes());
    framed
}

fn masked(bytes: &[u8]) -> u32 {
    checksum(bytes).rotate_right(15).wrapping_add(0xA282_EAD8)
}

/// CRC-32C, bit by bit: files of events are small.
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0x82F6_3B78 & (sum & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_is_that_of_the_standard() {
        // RFC 3720, B.4, and the check value of every table of checksums.
        assert_eq!(checksum(b"123456789"), 0xE306_9283);
        assert_eq!(checksum(&[0; 32]), 0x8A91_36AA);
    }
}
