//! Days of the calendar, in UTC: when an exception ends, and which day it is.

use crate::error::{Error, ErrorKind, Result};
use std::ffi::OsStr;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// A day; later days are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

const DAY: u64 = 86_400;

impl Date {
    /// `2026-12-31`, from 1970 on; `None` for anything else, and for days that no calendar has.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let mut part = |width: usize| {
            let part = parts.next().filter(|part| part.len() == width && part.bytes().all(|b| b.is_ascii_digit()))?;
            part.parse::<u16>().ok()
        };
        let (year, month, day) = (part(4)?, part(2)?, part(2)?);
        let (month, day) = (u8::try_from(month).ok()?, u8::try_from(day).ok()?);
        let is_day = year >= 1970 && (1..=days_of(year, month)?).contains(&day);
        (is_day && parts.next().is_none()).then_some(Self { year, month, day })
    }

    /// The day of a second since 1970; `None` after the year 9999.
    pub fn of_seconds(seconds: u64) -> Option<Self> {
        let mut days = seconds.checked_div(DAY)?;
        for year in 1970..=9999_u16 {
            for month in 1..=12_u8 {
                let length = u64::from(days_of(year, month)?);
                if days < length {
                    let day = u8::try_from(days.checked_add(1)?).ok()?;
                    return Some(Self { year, month, day });
                }
                days = days.checked_sub(length)?;
            }
        }
        None
    }

    /// Today: the day of `SOURCE_DATE_EPOCH` where it is set, else of the clock.
    ///
    /// # Errors
    /// Where the variable holds no number of seconds, or the clock stands before 1970.
    pub fn today(epoch: Option<&OsStr>) -> Result<Self> {
        let wrong =
            |what: String| Error::new(ErrorKind::Unsupported, what).help("name the day with --today YYYY-MM-DD");
        if let Some(text) = epoch {
            let is_number = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let seconds = text.to_str().filter(is_number).and_then(|text| text.parse().ok());
            let found = text.to_string_lossy();
            let unknown =
                || wrong(format!("SOURCE_DATE_EPOCH is {found:?}, expected the seconds since 1970 in digits"));
            return seconds.and_then(Self::of_seconds).ok_or_else(unknown);
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).ok();
        let before = || wrong("the clock of this machine stands before 1970 or after 9999".to_owned());
        since.and_then(|since| Self::of_seconds(since.as_secs())).ok_or_else(before)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// Days in a month of the Gregorian calendar.
fn days_of(year: u16, month: u8) -> Option<u8> {
    let divides = |number: u16| year.checked_rem(number) == Some(0);
    let is_leap = divides(4) && (!divides(100) || divides(400));
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(if is_leap { 29 } else { 28 }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_a_calendar_has() {
        for (text, is_day) in [
            ("2026-12-31", true),
            ("1970-01-01", true),
            ("9999-12-31", true),
            ("2024-02-29", true),
            ("2000-02-29", true),
            ("2100-02-29", false),
            ("2026-02-29", false),
            ("2026-04-31", false),
            ("2026-13-01", false),
            ("2026-00-10", false),
            ("2026-10-00", false),
            ("1969-12-31", false),
            ("2026-1-1", false),
            ("26-01-01", false),
            ("2026-12-31T00:00:00", false),
            ("2026-12-31-1", false),
            ("+026-12-31", false),
            ("31.12.2026", false),
            ("2026/12/31", false),
            ("", false),
            ("tomorrow", false),
        ] {
            let date = Date::parse(text);
            assert_eq!(date.is_some(), is_day, "{text}");
            assert!(date.is_none_or(|date| date.to_string() == text), "{text}");
        }
    }

    /// Against `date -u -d @SECONDS +%F`.
    #[test]
    fn seconds_as_date_has_them() {
        for (seconds, day) in [
            (0, Some("1970-01-01")),
            (86_399, Some("1970-01-01")),
            (86_400, Some("1970-01-02")),
            (951_782_400, Some("2000-02-29")),
            (951_868_800, Some("2000-03-01")),
            (1_767_225_599, Some("2025-12-31")),
            (1_767_225_600, Some("2026-01-01")),
            (4_107_542_400, Some("2100-03-01")),
            (253_402_300_799, Some("9999-12-31")),
            (253_402_300_800, None),
            (u64::MAX, None),
        ] {
            assert_eq!(Date::of_seconds(seconds).map(|date| date.to_string()).as_deref(), day, "{seconds}");
        }
    }

    #[test]
    fn the_epoch_decides_where_it_is_set() {
        for (epoch, says) in [
            ("1767225600", Ok("2026-01-01")),
            ("", Err("SOURCE_DATE_EPOCH is \"\"")),
            ("-1", Err("SOURCE_DATE_EPOCH is \"-1\"")),
            ("+1", Err("SOURCE_DATE_EPOCH is \"+1\"")),
            ("now", Err("SOURCE_DATE_EPOCH is \"now\"")),
            ("99999999999999999999", Err("SOURCE_DATE_EPOCH is \"99999999999999999999\"")),
        ] {
            match (Date::today(Some(OsStr::new(epoch))), says) {
                (Ok(day), Ok(expected)) => assert_eq!(day.to_string(), expected),
                (Err(error), Err(expected)) => assert!(error.to_string().starts_with(expected), "{error}"),
                (found, _) => panic!("{epoch}: {found:?}"),
            }
        }
        assert!(Date::today(None).unwrap() > Date::parse("2024-01-01").unwrap());
    }
}
