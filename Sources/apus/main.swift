import ApusCommand
import ApusSamples

ApusProgram.main(strategies: Samples.all)
