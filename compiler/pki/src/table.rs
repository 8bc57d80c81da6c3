//! The report as a table for a terminal.

use std::fmt;

use time::OffsetDateTime;

use crate::show::{CertificateDetails, CertificateReport};
use crate::{Level, Report};

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Root => "root",
            Self::Intermediate => "intermediate",
            Self::Workload => "workload",
        })
    }
}

/// One line per certificate, in aligned columns; problems and unused files follow below.
impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["LEVEL", "SUBJECT", "ISSUER", "NOT BEFORE", "NOT AFTER", "DAYS", "PATH", "STATE"];
        let rows: Vec<[String; 8]> =
            std::iter::once(head.map(str::to_owned)).chain(self.certificates.iter().map(row)).collect();
        let mut widths = [0_usize; 8];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for row in &rows {
            let cells: Vec<String> =
                row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            writeln!(formatter, "{}", cells.join("  ").trim_end())?;
        }
        for certificate in &self.certificates {
            for problem in &certificate.problems {
                writeln!(formatter, "problem: {}: {problem}", certificate.path)?;
            }
        }
        for path in &self.unused {
            writeln!(formatter, "unused: {path}")?;
        }
        Ok(())
    }
}

fn row(certificate: &CertificateReport) -> [String; 8] {
    let state = match certificate.problems.len() {
        0 => "ok".to_owned(),
        1 => "1 problem".to_owned(),
        more => format!("{more} problems"),
    };
    let dash = || "-".to_owned();
    let details = certificate.details.as_ref();
    let text = |of: fn(&CertificateDetails) -> String| details.map_or_else(dash, of);
    [
        certificate.level.to_string(),
        certificate.subject.clone(),
        text(|details| details.issuer.clone()),
        text(|details| moment(details.not_before)),
        text(|details| moment(details.not_after)),
        text(|details| details.days_left.to_string()),
        text(|details| details.path_length.map_or_else(|| "-".to_owned(), |length| length.to_string())),
        state,
    ]
}

/// A time in UTC, to the minute.
pub(crate) fn moment(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds).map_or_else(
        |_| format!("{seconds} s"),
        |time| {
            let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
            format!("{year:04}-{month:02}-{day:02} {:02}:{:02}Z", time.hour(), time.minute())
        },
    )
}
