"""The operator's end of the link: what the listeners are told (`hub`), who may come in (`server`), and with which
certificates (`authority`)."""
