// What every test of the command needs.
@_exported import TernTestSupport
