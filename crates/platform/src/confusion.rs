//! The confusion matrix of a classification, as people read it.

use evaluation::ConfusionMatrix;

use crate::failure::Outcome;
use crate::screen::{self, Table};

/// Classes of which a screen can show every pair.
const MOST_CLASSES: usize = 10;

/// Prints how many rows of each class were predicted to be of which; of too many classes, where that stands.
pub fn print(part: &str, matrix: &ConfusionMatrix, run: i64) -> Outcome {
    screen::print(&text(part, matrix, run))
}

fn text(part: &str, matrix: &ConfusionMatrix, run: i64) -> String {
    let classes = matrix.classes.len();
    if classes > MOST_CLASSES {
        return format!(
            "confusion on {part}: {classes} classes are more than fit a screen; platform run show {run} --json has every count\n"
        );
    }
    let mut headings = vec!["true \\ predicted"];
    headings.extend(matrix.classes.iter().map(String::as_str));
    let mut table = Table::new(&headings);
    for (class, counts) in matrix.classes.iter().zip(&matrix.counts) {
        let counts = counts.iter().copied().map(screen::count);
        table.row(std::iter::once(class.clone()).chain(counts));
    }
    format!("confusion on {part}\n{}", table.render())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(classes: usize) -> ConfusionMatrix {
        let counts = |row: usize| (0..classes).map(|column| (row * 1_000 + column) as u64).collect();
        ConfusionMatrix {
            classes: (0..classes).map(|class| format!("class{class}")).collect(),
            counts: (0..classes).map(counts).collect(),
        }
    }

    #[test]
    fn few_classes_are_a_table_with_a_row_for_each_true_class() {
        let wanted = "confusion on test\n\
                      true \\ predicted  class0  class1\n\
                      class0                 0       1\n\
                      class1             1,000   1,001\n";
        assert_eq!(text("test", &matrix(2), 3), wanted);
    }

    #[test]
    fn many_classes_are_counted_and_said_where_they_are() {
        assert!(text("test", &matrix(10), 3).contains("class9"));
        let many = text("test", &matrix(11), 3);
        assert!(
            many.contains("11 classes") && many.contains("platform run show 3 --json"),
            "{many}"
        );
        assert_eq!(many.lines().count(), 1);
    }
}
