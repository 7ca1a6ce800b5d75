"""The operator's end of the link: what the listeners are told (`hub`) and what is known of each pool and site (`pools`,
`sites`), who may come in (`server`), and with which certificates (`authority`)."""
