//! A setting that nobody may see: wiped when it goes, and without `Debug`, so that no log line can hold it.

use zeroize::{Zeroize, Zeroizing};

/// Holds a secret setting. Cloning is allowed (a host has few settings and tests share them), printing is not.
#[derive(Clone)]
pub struct Hidden<T: Zeroize>(Zeroizing<T>);

impl<T: Zeroize> Hidden<T> {
    /// Takes over `secret`; it is wiped when this is dropped.
    #[must_use]
    pub fn new(secret: T) -> Self {
        Self(Zeroizing::new(secret))
    }

    /// The secret in clear.
    #[must_use]
    pub fn expose(&self) -> &T {
        &self.0
    }
}

/// It does not print itself: the compiler refuses what would leak it.
///
/// ```compile_fail,E0277
/// let token = interlock::config::Hidden::new(String::from("a token"));
/// println!("{token:?}");
/// ```
///
/// Nor does what holds it:
///
/// ```compile_fail,E0277
/// fn prints<T: std::fmt::Debug>() {}
/// prints::<interlock::config::Config>();
/// ```
#[cfg(doctest)]
struct Unprintable;

#[cfg(test)]
mod tests {
    use super::Hidden;

    #[test]
    fn is_what_was_hidden() {
        let hidden = Hidden::new([7_u8; 32]);
        assert_eq!(hidden.clone().expose(), hidden.expose());
    }
}
