//! A value that is wiped when it goes, and that cannot be printed, copied or serialised by accident.

use zeroize::Zeroizing;

/// Bytes that nobody but their user may see. No `Debug`, `Display`, `Clone` or `Serialize`, on purpose: the compiler
/// finds the log line that would have leaked it.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes over `bytes`; they are wiped when the secret is dropped. The caller answers for copies made before.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes in clear.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The text in clear; none where the bytes are not UTF-8.
    #[must_use]
    pub fn expose_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text.into_bytes())
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text.as_bytes().to_vec())
    }
}

impl From<Zeroizing<Vec<u8>>> for Secret {
    fn from(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }
}

/// Fails to compile once `$type` implements `$trait`: then the two blanket implementations both fit, and the
/// compiler cannot tell which is meant.
macro_rules! never_implements {
    ($($type:ty: $($trait:path),+;)+) => {$($(
        const _: fn() = || {
            struct Offender;
            trait Fits<Reason> {
                fn fits() {}
            }
            impl<T: ?Sized> Fits<()> for T {}
            impl<T: ?Sized + $trait> Fits<Offender> for T {}
            let _ = <$type as Fits<_>>::fits;
        };
    )+)+};
}
pub(super) use never_implements;
