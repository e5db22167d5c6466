// One import for the whole library.
@_exported import TernCluster
@_exported import TernCore
@_exported import TernData
@_exported import TernFormats
@_exported import TernGraph
@_exported import TernNN
@_exported import TernOptim
@_exported import TernRuntime
@_exported import TernTrain
