"""The operations that a plan may consist of: arithmetic on tensors, control flow, and reading its own dataset.

Everything else is refused: no files, no network, no Python, no custom libraries, no printing, no variables
or tables that another graph could share. A test compiles every algorithm and model against this list.
"""

_ARITHMETIC = """
    Abs Acos Acosh Add AddN AddV2 Angle Asin Asinh Atan Atan2 Atanh BatchMatMul BatchMatMulV2 BatchMatMulV3
    BiasAdd BiasAddGrad Bincount BitwiseAnd BitwiseOr BitwiseXor Ceil ClipByValue Cos Cosh Cross Cumprod Cumsum
    CumulativeLogsumexp DenseBincount Digamma Div DivNoNan Einsum Erf Erfc Erfinv Exp Expm1 Floor FloorDiv
    FloorMod Igamma Igammac Inv InvGrad Invert IsFinite IsInf IsNan L2Loss LeftShift Lgamma LinSpace Log Log1p
    MatMul Max Maximum Mean Min Minimum Mod Mul MulNoNan Neg NextAfter Pow Prod RealDiv Reciprocal
    ReciprocalGrad RightShift Rint Round Rsqrt RsqrtGrad SegmentMax SegmentMean SegmentMin SegmentProd
    SegmentSum Sigmoid SigmoidGrad Sign Sin Sinh Sqrt SqrtGrad Square SquaredDifference Sub Sum Tan Tanh
    TanhGrad TruncateDiv TruncateMod UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd
    UnsortedSegmentSum Xdivy Xlog1py Xlogy
"""
_COMPARISON = """
    All Any ApproximateEqual ArgMax ArgMin Equal Greater GreaterEqual InTopK InTopKV2 InvertPermutation Less
    LessEqual LogicalAnd LogicalNot LogicalOr NotEqual Select SelectV2 TopK TopKV2 Where
"""
_NETWORK_LAYERS = """
    AvgPool AvgPool3D AvgPool3DGrad AvgPoolGrad Conv2D Conv2DBackpropFilter Conv2DBackpropInput Conv3D
    Conv3DBackpropFilterV2 Conv3DBackpropInputV2 DepthwiseConv2dNative DepthwiseConv2dNativeBackpropFilter
    DepthwiseConv2dNativeBackpropInput Elu EluGrad FusedBatchNormGradV3 FusedBatchNormV3 LRN LRNGrad LeakyRelu
    LeakyReluGrad LogSoftmax MaxPool MaxPool3D MaxPool3DGrad MaxPool3DGradGrad MaxPoolGrad MaxPoolGradGrad Relu
    Relu6 Relu6Grad ReluGrad ResizeBilinear ResizeBilinearGrad ResizeNearestNeighbor ResizeNearestNeighborGrad
    Selu SeluGrad Softmax SoftmaxCrossEntropyWithLogits Softplus SoftplusGrad Softsign SoftsignGrad
    SparseSoftmaxCrossEntropyWithLogits
"""
_SHAPE = """
    BatchToSpaceND Bitcast BroadcastArgs BroadcastGradientArgs BroadcastTo Cast CheckNumerics Concat ConcatOffset
    ConcatV2 Const DepthToSpace Diag DiagPart DynamicPartition DynamicStitch EnsureShape ExpandDims Fill Gather
    GatherNd GatherV2 Identity IdentityN MatrixBandPart MatrixDiagPartV3 MatrixDiagV3 MatrixSetDiagV3 MirrorPad
    MirrorPadGrad OneHot OnesLike Pack Pad PadV2 ParallelDynamicStitch PlaceholderWithDefault Placeholder
    PreventGradient Range Rank Reshape ReverseV2 Roll ScatterNd Shape ShapeN Size Slice SpaceToBatchND
    SpaceToDepth Split SplitV Squeeze StopGradient StridedSlice StridedSliceGrad TensorScatterAdd
    TensorScatterUpdate Tile Transpose UniqueV2 Unique Unpack ZerosLike
"""
_CONTROL_FLOW = """
    Case ControlTrigger Enter Exit If LoopCond Merge NextIteration NoOp PartitionedCall
    StatefulPartitionedCall StatelessCase StatelessIf StatelessWhile Switch While
    EmptyTensorList TensorListElementShape TensorListFromTensor TensorListGetItem TensorListLength
    TensorListPopBack TensorListPushBack TensorListReserve TensorListSetItem TensorListStack
"""
_RANDOM = """
    Multinomial RandomShuffle RandomStandardNormal RandomUniform RandomUniformInt StatelessRandomGetKeyCounter
    StatelessRandomGetAlg StatelessRandomNormal StatelessRandomNormalV2 StatelessRandomUniform
    StatelessRandomUniformFullInt StatelessRandomUniformInt StatelessRandomUniformIntV2
    StatelessRandomUniformV2 StatelessTruncatedNormal StatelessTruncatedNormalV2 TruncatedNormal
"""
_OWN_DATASET = """
    AnonymousIterator AnonymousIteratorV2 AnonymousIteratorV3 BatchDatasetV2 DeleteIterator FilterDataset
    FlatMapDataset IteratorGetNext IteratorGetNextAsOptional MakeIterator MapDataset
    ModelDataset OptimizeDatasetV2 OptionalFromValue OptionalGetValue OptionalHasValue OptionalNone
    OptionsDataset ParallelMapDatasetV2 PrefetchDataset RangeDataset ReduceDataset RepeatDataset SkipDataset
    TakeDataset TensorDataset TensorSliceDataset WindowDataset ZipDataset
"""

ALLOWED = frozenset(
    " ".join(
        (_ARITHMETIC, _COMPARISON, _NETWORK_LAYERS, _SHAPE, _CONTROL_FLOW, _RANDOM, _OWN_DATASET)
    ).split()
)
