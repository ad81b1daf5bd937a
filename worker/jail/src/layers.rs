//! The layers of the jail by name, and the bitmap that says which of them are in force.
//!
//! The numbers are what a worker reports when it is ready and what `--check-jail` prints: add at the end, never renumber.
//! Which layer is applied where, and in which order, is the steps' business.

use std::fmt;

/// One layer of the jail. Its discriminant is its bit in [`Layers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Layer {
    /// No descriptor is open but those that were handed over (and /dev/null as 0, 1 and 2).
    Descriptors = 0,
    /// The process is killed when the router ends.
    ParentDeath = 1,
    /// Address space, CPU seconds, files, processes, core and file size are bounded.
    ResourceLimits = 2,
    /// The process is the first that the kernel ends when memory runs out.
    OomScore = 3,
    /// What privilege there is counts in a namespace of its own only.
    UserNamespace = 4,
    /// Mounts of the machine are out of sight.
    MountNamespace = 5,
    /// The root folder is empty and read-only.
    EmptyRoot = 6,
    /// No network interface exists.
    NetNamespace = 7,
    /// No System V or POSIX queue of others exists.
    IpcNamespace = 8,
    /// The machine's name is out of sight.
    UtsNamespace = 9,
    /// No other process can be named.
    PidNamespace = 10,
    /// The process runs under a user and group id that nobody else has (root alone can give these).
    OwnIds = 11,
    /// No supplementary group is left (root alone can drop them).
    NoGroups = 12,
    /// All five capability sets are empty.
    NoCapabilities = 13,
    /// No other process of the same user may look inside.
    NotDumpable = 14,
    /// Nothing can raise the privilege of the process any more.
    NoNewPrivileges = 15,
    /// No file, port, abstract socket or foreign signal may be reached.
    Landlock = 16,
    /// System calls that are not on the list end the process.
    Seccomp = 17,
}

impl Layer {
    /// Every layer, in the order of the bits.
    pub const ALL: [Self; 18] = [
        Self::Descriptors,
        Self::ParentDeath,
        Self::ResourceLimits,
        Self::OomScore,
        Self::UserNamespace,
        Self::MountNamespace,
        Self::EmptyRoot,
        Self::NetNamespace,
        Self::IpcNamespace,
        Self::UtsNamespace,
        Self::PidNamespace,
        Self::OwnIds,
        Self::NoGroups,
        Self::NoCapabilities,
        Self::NotDumpable,
        Self::NoNewPrivileges,
        Self::Landlock,
        Self::Seccomp,
    ];

    /// The name that people and programs see: lower case with hyphens.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Descriptors => "descriptors",
            Self::ParentDeath => "parent-death",
            Self::ResourceLimits => "resource-limits",
            Self::OomScore => "oom-score",
            Self::UserNamespace => "user-namespace",
            Self::MountNamespace => "mount-namespace",
            Self::EmptyRoot => "empty-root",
            Self::NetNamespace => "net-namespace",
            Self::IpcNamespace => "ipc-namespace",
            Self::UtsNamespace => "uts-namespace",
            Self::PidNamespace => "pid-namespace",
            Self::OwnIds => "own-ids",
            Self::NoGroups => "no-groups",
            Self::NoCapabilities => "no-capabilities",
            Self::NotDumpable => "not-dumpable",
            Self::NoNewPrivileges => "no-new-privileges",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
        }
    }

    /// Whether only root can have it: its absence is no reason for `strict` to refuse an ordinary user.
    #[must_use]
    pub const fn is_for_root_alone(self) -> bool {
        matches!(self, Self::OwnIds | Self::NoGroups)
    }

    /// Whether it stands even where the sandbox is switched off, since a farm without it leaks or orphans processes.
    #[must_use]
    pub const fn always_stands(self) -> bool {
        matches!(self, Self::Descriptors | Self::ParentDeath | Self::ResourceLimits)
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// A set of layers, as a bitmap: bit n is the layer whose discriminant is n.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Layers(u32);

impl Layers {
    /// No layer.
    pub const NONE: Self = Self(0);

    /// Every layer that a process started by root, or by an ordinary user, can have on a kernel that knows them all.
    #[must_use]
    pub fn attainable(by_root: bool) -> Self {
        Layer::ALL.into_iter().filter(|layer| by_root || !layer.is_for_root_alone()).fold(Self::NONE, Self::with)
    }

    /// What kind of jail these layers make, in a word for operators: `full`; `one-id`, where an ordinary user started it, or
    /// root of a container without a range of ids, and workers share the one that there is; `no-user-namespace`, where root started it and the machine allows none; `incomplete`.
    #[must_use]
    pub fn tier(self) -> &'static str {
        let lacks = |layers: &[Layer]| {
            let lacking = Layer::ALL.into_iter().filter(|layer| !self.contains(*layer));
            lacking.eq(layers.iter().copied())
        };
        match () {
            () if lacks(&[]) => "full",
            () if lacks(&[Layer::OwnIds, Layer::NoGroups]) => "one-id",
            () if lacks(&[Layer::UserNamespace]) => "no-user-namespace",
            () => "incomplete",
        }
    }

    /// The bitmap as it travels.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The layers of a bitmap that came from elsewhere; bits that name no layer are dropped.
    #[must_use]
    pub fn from_bits(bits: u32) -> Self {
        Layer::ALL.into_iter().filter(|layer| bits & (1 << *layer as u8) != 0).fold(Self::NONE, Self::with)
    }

    /// These layers and one more.
    #[must_use]
    pub const fn with(self, layer: Layer) -> Self {
        Self(self.0 | 1 << layer as u8)
    }

    /// These layers without one.
    #[must_use]
    pub const fn without(self, layer: Layer) -> Self {
        Self(self.0 & !(1 << layer as u8))
    }

    /// Whether the layer is one of these.
    #[must_use]
    pub const fn contains(self, layer: Layer) -> bool {
        self.0 & (1 << layer as u8) != 0
    }

    /// The layers in the order of their bits.
    pub fn iter(self) -> impl Iterator<Item = Layer> {
        Layer::ALL.into_iter().filter(move |layer| self.contains(*layer))
    }
}

impl fmt::Debug for Layers {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.iter().map(Layer::name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_layer_has_a_bit_of_its_own() {
        for (number, layer) in Layer::ALL.into_iter().enumerate() {
            assert_eq!(layer as usize, number, "{layer}");
            assert_eq!(Layers::NONE.with(layer).iter().collect::<Vec<_>>(), [layer]);
        }
    }

    #[test]
    fn unknown_bits_are_dropped() {
        assert_eq!(Layers::from_bits(u32::MAX), Layers::attainable(true));
        assert_eq!(Layers::from_bits(Layers::attainable(false).bits()), Layers::attainable(false));
    }

    #[test]
    fn an_ordinary_user_lacks_what_is_for_root_alone() {
        let (root, user) = (Layers::attainable(true), Layers::attainable(false));
        assert_eq!(user.with(Layer::OwnIds).with(Layer::NoGroups), root);
        assert!(!user.contains(Layer::OwnIds) && !user.contains(Layer::NoGroups));
    }
}
