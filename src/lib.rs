//! Reads a capture of a Microsoft Entra ID sign-in and says why multifactor authentication did not complete.

pub mod capture;
pub mod evidence;
pub mod limits;
pub mod time;
