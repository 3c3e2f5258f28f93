"""The portal's first version: a login and one page of live state. Next.js takes its place later."""
