//! Network interfaces by ioctl (`netdevice(7)`): enough for a sandbox's own namespace.
// UNSAFETY: ioctl with structures that hold unions.
#![expect(unsafe_code)]

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Brings an interface up. `socket` is any IPv4 socket of the wanted network namespace.
///
/// # Errors
/// The errors of `SIOCSIFFLAGS`; `EINVAL` when the name is too long.
pub fn bring_up(socket: BorrowedFd<'_>, name: &str) -> io::Result<()> {
    let mut request = interface_request(name)?;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    ioctl(socket, libc::SIOCSIFFLAGS, &raw mut request)
}

/// Gives an interface its address and prefix.
///
/// # Errors
/// The errors of `SIOCSIFADDR` and `SIOCSIFNETMASK`; `EINVAL` for a prefix above 32.
pub fn set_address(
    socket: BorrowedFd<'_>,
    name: &str,
    address: Ipv4Addr,
    prefix_bits: u8,
) -> io::Result<()> {
    if prefix_bits > 32 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mask = u32::MAX
        .checked_shl(32 - u32::from(prefix_bits))
        .unwrap_or(0);
    let mut request = interface_request(name)?;
    request.ifr_ifru.ifru_addr = socket_address(address);
    ioctl(socket, libc::SIOCSIFADDR, &raw mut request)?;
    request.ifr_ifru.ifru_netmask = socket_address(Ipv4Addr::from(mask));
    ioctl(socket, libc::SIOCSIFNETMASK, &raw mut request)
}

/// Adds the default route through `gateway`.
///
/// # Errors
/// The errors of `SIOCADDRT`.
pub fn add_default_route(socket: BorrowedFd<'_>, gateway: Ipv4Addr) -> io::Result<()> {
    // SAFETY: `rtentry` is integers, socket addresses and a nullable pointer: zero is valid.
    let mut route: libc::rtentry = unsafe { std::mem::zeroed() };
    route.rt_dst = socket_address(Ipv4Addr::UNSPECIFIED);
    route.rt_genmask = socket_address(Ipv4Addr::UNSPECIFIED);
    route.rt_gateway = socket_address(gateway);
    route.rt_flags = libc::RTF_UP | libc::RTF_GATEWAY;
    ioctl(socket, libc::SIOCADDRT, &raw mut route)
}

fn ioctl<T>(socket: BorrowedFd<'_>, request: libc::Ioctl, argument: *mut T) -> io::Result<()> {
    // SAFETY: each caller passes the structure that its request reads, alive during the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), request, argument) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn interface_request(name: &str) -> io::Result<libc::ifreq> {
    // SAFETY: `ifreq` is a byte array and a union of plain values: zero is valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.is_empty() || name.len() >= request.ifr_name.len() || name.contains('\0') {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    Ok(request)
}

/// A `sockaddr_in` in the form of the `sockaddr` that it is passed as (`ip(7)`): the port's two
/// bytes, then the address in network order.
fn socket_address(address: Ipv4Addr) -> libc::sockaddr {
    let mut data = [0; 14];
    for (to, from) in data[2..6].iter_mut().zip(address.octets()) {
        *to = from as libc::c_char;
    }
    libc::sockaddr {
        sa_family: libc::AF_INET as libc::sa_family_t,
        sa_data: data,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    #[test]
    fn interface_name_that_does_not_fit_is_refused() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        for name in ["", "sixteen-letters-", "nul\0"] {
            let error = bring_up(socket.as_fd(), name).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{name:?}");
        }
    }

    #[test]
    fn address_is_laid_out_in_network_order() {
        let address = socket_address(Ipv4Addr::new(10, 200, 0, 1));
        assert_eq!(address.sa_data[2..6], [10, 200_u8 as libc::c_char, 0, 1]);
    }
}
